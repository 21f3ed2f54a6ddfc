"""Purchase orders and their life: approval, receipts, match with a voucher.

Belongs here: F4301, F4311, F4209, F43121. Does not belong here: which orders there are (generate.py, awkward.py).

Sources (JDE): a line's last and next status tell how far it is (220 entered, 230 approval, 280 print, 400 receive, 440
voucher match, 999 closed); approvals are rows of F4209 with hold code ``**``; receipts are F43121 rows with match type
1, matched vouchers rows with match type 2; a received line waits on the account for received, not vouchered goods.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from jdebill_pipelines.sandbox.company.calendar import fiscal, office_time
from jdebill_pipelines.sandbox.company.ledger import Ledger, Money
from jdebill_pipelines.sandbox.company.model import Company, Row, Value
from jdebill_pipelines.sandbox.company.reference import RATES, Account
from jdebill_pipelines.sandbox.company.suppliers import APPROVER, BUYERS, Supplier
from jdebill_pipelines.sandbox.company.vouchers import Order, Spec, Vouchers

FIRST_ORDER = 4_001
FIRST_RECEIPT = 500_001
BRANCH = "110"
_CENT = Decimal("0.01")
_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Item:
    """An order line to write; quantity 0 is an amount-only line."""

    account: Account
    quantity: int
    cost: Decimal
    text: str

    @property
    def amount(self) -> Decimal:
        """Extended amount, to the cent."""
        return (self.quantity * self.cost if self.quantity else self.cost).quantize(_CENT)


class Orders:
    """Writes orders and moves them on.

    Args:
        company: gets the rows.
        ledger: gets the lines of receipts.
        vouchers: writes the vouchers of matched orders.
        rng: source of all choices.
    """

    def __init__(self, company: Company, ledger: Ledger, vouchers: Vouchers, rng: random.Random) -> None:
        self.company = company
        self.ledger = ledger
        self.vouchers = vouchers
        self.rng = rng
        self._next_order = FIRST_ORDER
        self._next_receipt = FIRST_RECEIPT
        self._lines: dict[int, list[tuple[Row, Account]]] = {}
        self._headers: dict[int, Row] = {}
        self._suppliers: dict[int, Supplier] = {}
        self._pending: dict[int, Row] = {}
        self._receipts: dict[int, list[Row]] = {}

    def add(self, supplier: Supplier, day: date, items: list[Item], currency: str = "USD") -> int:
        """Write an order that waits for approval and return its number."""
        number, self._next_order = self._next_order, self._next_order + 1
        stamp: dict[str, Value] = {"UPMJ": day, "TDAY": office_time(self.rng)}
        buyer = self.rng.choice(BUYERS)
        total = sum((Money.of(item.amount, currency) for item in items[1:]), Money.of(items[0].amount, currency))
        foreign = currency != "USD"
        self._headers[number] = self.company.add(
            "F4301",
            {
                **self._key(number),
                "MCU": BRANCH,
                "AN8": supplier.number,
                "TRDJ": day,
                "DRQJ": day + timedelta(days=14),
                "PDDJ": day + timedelta(days=14),
                "CNDJ": None,
                "PTC": supplier.terms,
                "HOLD": "",
                "OTOT": total.base,
                "ARTG": "PURCHASE",
                "CRRM": "F" if foreign else "D",
                "CRCD": currency,
                "CRR": RATES[currency] if foreign else 0,
                "BCRC": "USD",
                "FAP": total.amount if foreign else _NONE,
                "ORBY": f"buyer{BUYERS.index(buyer) + 1}",
                **stamp,
            },
        )
        self._lines[number] = [
            (self._line(number, supplier, day, n, item, currency, stamp), item.account)
            for n, item in enumerate(items, start=1)
        ]
        self._suppliers[number] = supplier
        self._pending[number] = self.hold(number, "**", day, "1N", originator=buyer)
        return number

    def key(self, number: int) -> str:
        """Return the order's key ``KCOO-DCTO-DOCO-SFXO``."""
        return f"{self.company.company}-OP-{number}-000"

    def day(self, number: int) -> date:
        """Return the day of the order."""
        day = self._headers[number]["TRDJ"]
        assert isinstance(day, date)
        return day

    def hold(self, number: int, code: str, day: date, status: str = "", *, originator: int = 0) -> Row:
        """Write an F4209 row: an approval step (code ``**``), or a hold, which is unreleased while it has no date."""
        return self.company.add(
            "F4209",
            {"HCOD": code, "RPER": APPROVER, "AN8": originator, "MCU": BRANCH, **self._key(number), "LNID": 0},
            {"TRDJ": self._headers[number]["TRDJ"], "RDC": "", "RDB": "", "RDJ": day if code == "**" else None},
            {"RDT": office_time(self.rng), "ARTG": "PURCHASE" if code == "**" else "", "ASTS": status},
            {"ATY": "1" if code == "**" else "", "DLNID": 0},
        )

    def header_hold(self, number: int, code: str) -> None:
        """Put the whole order on hold."""
        self._headers[number]["HOLD"] = code

    def approve(self, number: int, day: date, *, waits: bool = False) -> None:
        """Approve: the lines go on to print; with ``waits`` another approver is still asked."""
        self._pending[number] |= {"ASTS": "1A", "RDJ": day, "RDT": office_time(self.rng)}
        if waits:
            self.hold(number, "**", day, "2N")
        self._advance(number, "230", "280", day)

    def print(self, number: int, day: date) -> None:
        """Print: the lines wait for receipt."""
        self._advance(number, "280", "400", day)

    def reject(self, number: int, day: date) -> None:
        """Reject: the lines are closed and nothing is open."""
        self._pending[number] |= {"ASTS": "1R", "RDJ": day, "RDT": office_time(self.rng)}
        for line in range(1, len(self._lines[number]) + 1):
            self.cancel(number, line, day, "230")

    def cancel(self, number: int, line: int, day: date, last: str = "980") -> None:
        """Cancel a line: its amounts stay, nothing of it is open."""
        row = self._lines[number][line - 1][0]
        row |= {"LTTR": last, "NXTR": "999", "CNDJ": day, "UOPN": 0, "AOPN": _NONE, "FAP": _NONE}
        self._stamp(row, day)

    def receive(self, number: int, day: date, share: Decimal = Decimal(1)) -> None:
        """Receive all or a share of every open line; what is complete waits for the voucher."""
        receipt, self._next_receipt = self._next_receipt, self._next_receipt + 1
        for row, account in self._lines[number]:
            if row["NXTR"] == "999":
                continue
            part, quantity = self._portion(row, share)
            currency = str(row["CRCD"])
            row["UOPN"], row["UREC"] = _int(row["UOPN"]) - quantity, _int(row["UREC"]) + quantity
            row["AOPN"], row["AREC"] = _amount(row["AOPN"]) - part.base, _amount(row["AREC"]) + part.base
            if currency != "USD":
                row["FAP"], row["FREC"] = _amount(row["FAP"]) - part.amount, _amount(row["FREC"]) + part.amount
            if row["AOPN"] == 0:
                row |= {"LTTR": "400", "NXTR": "440"}
            self._stamp(row, day)
            self._receipt(row, receipt, day, part, quantity)
            document = ("OV", receipt)
            supplier = self._suppliers[number]
            self.ledger.line("O", document, day, account, part, AN8=supplier.number, EXR="Receipt")
            self.ledger.line("O", document, day, self.ledger.chart.received, -part, AN8=supplier.number, EXR="Receipt")

    def match(self, number: int, day: date, invoice: str, *, close: bool = True) -> str:
        """Match what was received with a voucher and return the voucher's key."""
        lines = [row for row, _ in self._lines[number] if row["AREC"] != 0]
        currency = str(lines[0]["CRCD"])
        own = "AREC" if currency == "USD" else "FREC"
        amounts = tuple((self.ledger.chart.received, _amount(row[own])) for row in lines)
        order = Order(number, "OP", self.company.company)
        voucher = self.vouchers.add(
            Spec(self._suppliers[number], day, amounts, invoice, currency, order=order, remark=f"Order {number}")
        )
        document = int(voucher.rsplit("-", 1)[1])
        for receipt in self._receipts[number]:
            matched: Row = {"DOC": document, "DCT": "PV", "MATC": "2", "VINV": invoice, "RCDJ": day, "DGL": day}
            if receipt["AOPN"] == 0:
                continue
            receipt |= {"UPTD": receipt["UREC"], "UOPN": 0, "APTD": receipt["AREC"], "AOPN": _NONE}
            self.company.add("F43121", {**receipt, **matched})
        if close:
            for row in lines:
                row |= {"LTTR": "440", "NXTR": "999"}
                self._stamp(row, day)
        return voucher

    def _advance(self, number: int, last: str, following: str, day: date) -> None:
        for row, _ in self._lines[number]:
            if row["NXTR"] != "999":
                row |= {"LTTR": last, "NXTR": following}
                self._stamp(row, day)

    def _stamp(self, row: Row, day: date) -> None:
        stamp: dict[str, Value] = {"UPMJ": day, "TDAY": office_time(self.rng)}
        row |= stamp
        self._headers[_int(row["DOCO"])] |= stamp

    def _key(self, number: int) -> dict[str, Value]:
        return {"KCOO": self.company.company, "DOCO": number, "DCTO": "OP", "SFXO": "000"}

    def _portion(self, row: Row, share: Decimal) -> tuple[Money, int]:
        """What a receipt of a share takes: whole units, or a share of the amount where there are none."""
        currency, open_units = str(row["CRCD"]), _int(row["UOPN"])
        left = Money(_amount(row["FAP" if currency != "USD" else "AOPN"]), _amount(row["AOPN"]), currency)
        if share == 1:
            return left, open_units
        units = max(1, int(open_units * share)) if open_units else 0
        if open_units and units == open_units:
            return left, units
        fraction = Decimal(units) / open_units if open_units else share
        return Money.of(left.amount * fraction, currency), units

    def _line(
        self, number: int, supplier: Supplier, day: date, n: int, item: Item, currency: str, stamp: dict[str, Value]
    ) -> Row:
        money, foreign, account = Money.of(item.amount, currency), currency != "USD", item.account
        return self.company.add(
            "F4311",
            {
                **self._key(number),
                "LNID": n,
                "MCU": BRANCH,
                "CO": self.company.company,
                "AN8": supplier.number,
                "TRDJ": day,
                "PDDJ": day + timedelta(days=14),
                "CNDJ": None,
                "DGL": day,
                **fiscal(day),
                "LITM": f"{account.object}-{n:02d}" if item.quantity else "",
                "DSC1": item.text[:30],
                "LNTY": "N" if item.quantity else "J",
                "LTTR": "220",
                "NXTR": "230",
                "UOM": "EA" if item.quantity else "",
                "UORG": item.quantity,
                "UOPN": item.quantity,
                "UREC": 0,
                "PRRC": _NONE if foreign or not item.quantity else item.cost,
                "AEXP": money.base,
                "AOPN": money.base,
                "AREC": _NONE,
                "CRCD": currency,
                "CRR": RATES[currency] if foreign else 0,
                "FRRC": item.cost if foreign and item.quantity else _NONE,
                "FEA": money.amount if foreign else _NONE,
                "FAP": money.amount if foreign else _NONE,
                "FREC": _NONE,
                "PTC": supplier.terms,
                "AID": account.aid,
                "ANI": account.code,
                "OMCU": account.unit,
                "OBJ": account.object,
                "SUB": account.subsidiary,
                **stamp,
            },
        )

    def _receipt(self, row: Row, receipt: int, day: date, part: Money, quantity: int) -> None:
        foreign = part.currency != "USD"
        taken = ("KCOO", "DOCO", "DCTO", "SFXO", "LNID", "AN8", "LITM", "CO", "MCU", "TRDJ", "LNTY", "UOM", "UORG",
                 "PRRC", "CRCD", "AID", "ANI", "OMCU", "OBJ", "SUB")  # fmt: skip
        earlier = self._receipts.setdefault(_int(row["DOCO"]), [])
        added = self.company.add(
            "F43121",
            {name: row[name] for name in taken},
            {
                "MATC": "1",
                "NLIN": sum(r["LNID"] == row["LNID"] for r in earlier) + 1,
                "KCO": self.company.company,
                "DOC": receipt,
                "DCT": "OV",
                "SFX": "000",
                "RCDJ": day,
                "DGL": day,
                "VINV": "",
                "UPTD": 0,
                "UOPN": quantity,
                "UREC": quantity,
                "APTD": _NONE,
                "AOPN": part.base,
                "AREC": part.base,
                "FREC": part.amount if foreign else _NONE,
                "UPMJ": day,
                "TDAY": office_time(self.rng),
            },
        )
        earlier.append(added)


def _amount(value: Value) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _int(value: Value) -> int:
    assert isinstance(value, int)
    return value

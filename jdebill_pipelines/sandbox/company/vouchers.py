"""Vouchers and what happens to them in JD Edwards: distribution, pay items, payments, voids.

Belongs here: F0411, F0413, F0414. Does not belong here: which vouchers there are (generate.py, awkward.py).

Sources (JDE): the gross amount of a voucher is its distribution plus the tax; AAP is what is still open; a voided
voucher keeps its row and gets an adjustment row (SFXE, DCTA PE), both marked VOD.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from jdebill_pipelines.sandbox.company.calendar import fiscal, office_time
from jdebill_pipelines.sandbox.company.ledger import Ledger, Money, domestic, rounded
from jdebill_pipelines.sandbox.company.model import Company, Row, Value
from jdebill_pipelines.sandbox.company.reference import DISCOUNT, NET_DAYS, RATES, Account
from jdebill_pipelines.sandbox.company.suppliers import Supplier

FIRST_VOUCHER = 700_001
FIRST_PAYMENT = 20_001


@dataclass(frozen=True, slots=True)
class Order:
    """The purchase order that a voucher is matched to."""

    number: int
    type: str
    company: str


@dataclass(frozen=True, slots=True)
class Spec:
    """A voucher to write.

    Attributes:
        supplier: whose it is.
        day: G/L date.
        lines: account and amount in the voucher's currency.
        invoice: the supplier's number (VINV).
        currency: of the amounts.
        tax: added to the lines.
        parts: shares of the pay items; one pay item is (1,).
        status: F0411.PST.
        order: what it is matched to.
        terms: payment terms, the supplier's when blank.
        remark: F0411.RMK.
        type: document type.
    """

    supplier: Supplier
    day: date
    lines: tuple[tuple[Account, Decimal], ...]
    invoice: str
    currency: str = "USD"
    tax: Decimal = Decimal(0)
    parts: tuple[int, ...] = (1,)
    status: str = "A"
    order: Order | None = None
    terms: str = ""
    remark: str = ""
    type: str = "PV"


class Vouchers:
    """Writes vouchers, their payments and voids.

    Args:
        company: gets the rows.
        ledger: gets the lines.
        rng: source of all choices.
    """

    def __init__(self, company: Company, ledger: Ledger, rng: random.Random) -> None:
        self.company = company
        self.ledger = ledger
        self.rng = rng
        self._next_voucher = FIRST_VOUCHER
        self._next_payment = FIRST_PAYMENT
        self.rows: dict[str, list[Row]] = {}

    def add(self, spec: Spec) -> str:
        """Write a voucher and return its key ``KCO-DCT-DOC``."""
        number, self._next_voucher = self._next_voucher, self._next_voucher + 1
        key = f"{self.company.company}-{spec.type}-{number}"
        document = (spec.type, number)
        invoice_day = spec.day - timedelta(days=self.rng.randint(0, 6))
        link = self._order_columns(spec.order)
        sums = []
        for account, amount in spec.lines:
            money = Money.of(amount, spec.currency)
            sums.append(money)
            self.ledger.line(
                "V", document, spec.day, account, money,
                EXA=spec.supplier.name[:30], EXR=spec.remark, SFX="001" if len(spec.parts) == 1 else "",
                AN8=spec.supplier.number, VINV=spec.invoice, IVD=invoice_day, **link,
            )  # fmt: skip
        net = sum(sums[1:], sums[0])
        tax = Money.of(spec.tax, spec.currency)
        if tax.amount:
            self.ledger.offset("V", spec.day, self.ledger.chart.tax, tax)
        self.ledger.offset("V", spec.day, self.ledger.chart.payables, -(net + tax))
        items = zip(_split(net, spec.parts), _split(tax, spec.parts), strict=True)
        self.rows[key] = [
            self._pay_item(spec, number, index, invoice_day, *item, link) for index, item in enumerate(items, start=1)
        ]
        return key

    def pay(self, key: str, day: date, share: Decimal = Decimal(1)) -> None:
        """Pay a voucher in JD Edwards, whole or in part (the first pay item), and post the payment."""
        payment, self._next_payment = self._next_payment, self._next_payment + 1
        check = payment + 10_000
        items = self.rows[key] if share == 1 else self.rows[key][:1]
        paid = Money(Decimal(0), Decimal(0), str(items[0]["CRCD"]))
        for line, row in enumerate(items, start=1):
            part = self._settle(row, share, day)
            paid += part
            self.company.add(
                "F0414",
                {
                    "PYID": payment,
                    "RC5": line,
                    "DCTM": "PK",
                    "PAAP": part.base,
                    "ADSC": row["ADSC"],
                    "ADSA": Decimal(0),
                },
                {name: row[name] for name in ("KCO", "DCT", "DOC", "SFX", "SFXE", "CRCD", "CRR", "CRRM", "AN8", "CO")},
                {"PFAP": part.amount if row["CRRM"] == "F" else Decimal(0), "POST": row["POST"], "RMK": row["RMK"]},
                {**fiscal(day), "UPMJ": day, "UPMT": 160_000},
            )
        posted = self.ledger.posted(day)
        self.company.add(
            "F0413",
            {"PYID": payment, "DCTM": "PK", "DOCM": check, "PYE": items[0]["PYE"], "GLBA": self.company.bank_account},
            {"DMTJ": day, "VDGJ": None, **self.ledger.batch("K", day), "PAAP": paid.base, "CRCD": paid.currency},
            {"CRRM": items[0]["CRRM"], "PYIN": "C", "ISTP": "D" if posted else "", "USER": "APCLERK"},
            {"UPMJ": day, "UPMT": 160_000},
        )
        more: dict[str, Value] = {
            "AN8": items[0]["PYE"],
            "PYID": payment,
            "CN": str(check),
            "DKJ": day,
            "EXR": "Payment",
        }
        chart = self.ledger.chart
        self.ledger.line("K", ("PK", check), day, chart.payables, paid, **more)
        self.ledger.line("K", ("PK", check), day, chart.bank, -paid, **more)

    def void(self, key: str, day: date) -> None:
        """Void a posted voucher: nothing is open, an adjustment row and reversed lines take it back."""
        for row in self.rows[key]:
            row |= {"AAP": Decimal(0), "FAP": Decimal(0), "PST": "P", "VOD": "V", "UPMJ": day, "UPMT": 150_000}
            negative = {name: -value for name in ("AG", "ATXA", "STAM", "ACR", "CTAM")
                        if isinstance(value := row[name], Decimal)}  # fmt: skip
            self.company.add("F0411", {**row, **negative, **self.ledger.batch("V", day), **fiscal(day)},
                             {"SFXE": 1, "DCTA": "PE", "DGJ": day})  # fmt: skip
        document = (str(self.rows[key][0]["DCT"]), int(str(self.rows[key][0]["DOC"])))
        chart = self.ledger.chart
        by_aid = {a.aid: a for a in chart.expenses}
        lines = [r for r in self.company.tables["F0911"]
                 if (r["DCT"], r["DOC"], r["LT"]) == (*document, "AA")]  # fmt: skip
        for line in lines:
            line["RE"] = "V"
            amount = line["AA"]
            assert isinstance(amount, Decimal)
            kept = {name: line[name] for name in ("SFX", "RE", "AN8", "VINV", "IVD")}
            account = by_aid[str(line["AID"])]
            self.ledger.line("V", ("PE", document[1]), day, account, Money.of(-amount, "USD"), EXR="Void", **kept)
            self.ledger.offset("V", day, chart.payables, Money.of(amount, "USD"))

    def _pay_item(
        self, spec: Spec, number: int, index: int, invoice_day: date, net: Money, tax: Money, link: dict[str, Value]
    ) -> Row:
        terms = spec.terms or spec.supplier.terms
        due = invoice_day + timedelta(days=NET_DAYS[terms] + 30 * (index - 1))
        percent, discount_days = DISCOUNT.get(terms, (Decimal(0), 0))
        gross, foreign = net + tax, spec.currency != "USD"
        discount = rounded(gross.amount * percent, spec.currency)
        none = Decimal(0)
        return self.company.add(
            "F0411",
            {
                "DOC": number,
                "DCT": spec.type,
                "KCO": self.company.company,
                "SFX": f"{index:03d}",
                "SFXE": 0,
                "DCTA": "",
                "CO": self.company.company,
                "AN8": spec.supplier.number,
                "PYE": spec.supplier.number,
                "VINV": spec.invoice,
                "DIVJ": invoice_day,
                "DGJ": spec.day,
                "DDJ": due,
                "DDNJ": invoice_day + timedelta(days=discount_days) if discount_days else due,
                **fiscal(spec.day),
                **self.ledger.batch("V", spec.day),
                "PST": spec.status,
                "POST": "D" if self.ledger.posted(spec.day) else "",
                "AG": gross.base,
                "AAP": gross.base,
                "ADSC": domestic(discount, spec.currency),
                "ADSA": none,
                "ATXA": net.base if tax.amount else none,
                "ATXN": none if tax.amount else net.base,
                "STAM": tax.base,
                "CRRM": "F" if foreign else "D",
                "CRCD": spec.currency,
                "CRR": RATES[spec.currency] if foreign else 0,
                "BCRC": "USD",
                "ACR": gross.amount if foreign else none,
                "FAP": gross.amount if foreign else none,
                "CDS": discount if foreign else none,
                "CTAM": tax.amount if foreign else none,
                "GLC": "",
                "GLBA": self.company.bank_account,
                "MCU": spec.lines[0][0].unit,
                "PTC": terms,
                "VOD": "",
                **link,
                "RMK": spec.remark,
                "PYIN": "C",
                "TORG": "APCLERK",
                "USER": "APCLERK",
                "UPMJ": spec.day,
                "UPMT": office_time(self.rng),
            },
        )

    def _settle(self, row: Row, share: Decimal, day: date) -> Money:
        currency, foreign = str(row["CRCD"]), row["CRRM"] == "F"
        base, own = row["AAP"], row["FAP"] if foreign else row["AAP"]
        assert isinstance(base, Decimal)
        assert isinstance(own, Decimal)
        part = Money(own, base, currency) if share == 1 else Money.of(own * share, currency)
        row["AAP"] = base - part.base
        if foreign:
            row["FAP"] = own - part.amount
        row |= {"PST": "P" if row["AAP"] == 0 else row["PST"], "UPMJ": day, "UPMT": 160_000}
        return part

    def _order_columns(self, order: Order | None) -> dict[str, Value]:
        if order is None:
            return {}
        # Sites differ in whether the order number in finance is filled with zeros: both occur.
        number = f"{order.number:08d}" if self.rng.random() < 0.5 else str(order.number)
        return {"PKCO": order.company, "PO": number, "PDCT": order.type}


def _split(money: Money, parts: tuple[int, ...]) -> list[Money]:
    """Split an amount by shares; the last part takes what rounding leaves."""
    whole = sum(parts)
    found: list[Money] = []
    for part in parts[:-1]:
        found.append(
            Money(
                rounded(money.amount * part / whole, money.currency),
                rounded(money.base * part / whole, "USD"),
                money.currency,
            )
        )
    taken = sum(found, Money(Decimal(0), Decimal(0), money.currency))
    return [*found, money + -taken]

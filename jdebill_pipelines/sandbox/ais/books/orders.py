"""Purchase orders on their way: approval, print, receipt, match with a voucher, cancellation.

Belongs here: F4301, F4311, F4209, F43121 and the ledger rows of receipts. Not here: entering an order.

JDE: a line's last and next status tell how far it is (230 approval, 280 print, 400 receive, 440 voucher match, 999
closed); approvals are F4209 rows with hold code `**`; a receipt is an F43121 row with match type 1, a voucher one with
match type 2. Open quantity and amount fall at the receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from jdebill_pipelines.sandbox.ais.books import vouchers
from jdebill_pipelines.sandbox.ais.books.accounts import Account, find_account
from jdebill_pipelines.sandbox.ais.books.base import Books, Currency, Written, amount_of
from jdebill_pipelines.sandbox.ais.books.fiscal import period_of
from jdebill_pipelines.sandbox.ais.books.ledger import LedgerLine, write_lines
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Row, Value

CLOSED = "999"
NOTHING = Decimal(0)
_TAKEN = ("KCOO", "DOCO", "DCTO", "SFXO", "LNID", "AN8", "ITM", "LITM", "CO", "MCU", "TRDJ", "LNTY", "UOM", "UORG",
          "PRRC", "CRCD", "CRR", "BCRC", "AID", "ANI", "OMCU", "OBJ", "SUB")  # fmt: skip


@dataclass(frozen=True)
class OrderKey:
    """The key of an order."""

    number: int
    kind: str = "OP"
    company: str = "00001"
    suffix: str = "000"

    def columns(self) -> dict[str, Value]:
        """The key columns."""
        return {"DOCO": self.number, "DCTO": self.kind, "KCOO": self.company, "SFXO": self.suffix}


def approve(books: Books, order: OrderKey, *, more_approvers: bool = False) -> int:
    """Approve an order that waits; with another approver its lines stay where they are. Returns the lines moved."""
    _decide(books, order, "A")
    if more_approvers:
        header, day = _header(books, order), books.today
        books.write(
            "F4209", order.columns(), {"HCOD": "**", "AN8": header.get("AN8", 0), "TRDJ": header.get("TRDJ", "")},
            {"RDJ": day, "RDT": books.world.stamp_row()[1], "ASTS": "2N", "ATY": "2", "ARTG": header.get("ARTG", "")},
        )  # fmt: skip
        return 0
    return advance(books, order, "230", "280")


def reject(books: Books, order: OrderKey) -> int:
    """Reject an order that waits: its lines are closed. Returns how many."""
    _decide(books, order, "R")
    return cancel(books, order, last="230")


def advance(books: Books, order: OrderKey, last: str, following: str) -> int:
    """Give the lines that are not closed this pair of statuses. Returns how many."""
    rows = _open_lines(books, order)
    for row in rows:
        _change(books, row, {"LTTR": last, "NXTR": following})
    return len(rows)


def cancel(books: Books, order: OrderKey, *, lines: Sequence[Decimal] = (), last: str = "980") -> int:
    """Cancel lines (all that are not closed by default): nothing of them is open. Returns how many."""
    rows = [row for row in _open_lines(books, order) if not lines or amount_of(row, "LNID") in lines]
    for row in rows:
        none = {"UOPN": NOTHING, "AOPN": NOTHING, "FAP": NOTHING}
        _change(books, row, {"LTTR": last, "NXTR": CLOSED, "CNDJ": books.today, **none})
    return len(rows)


def receive(books: Books, order: OrderKey, share: Decimal = Decimal(1)) -> dict[str, Value]:
    """Receive a share of what is open of every line: F43121, F4311, and the ledger (OV, batch O).

    Returns:
        Document number, document type and batch of the receipt.

    Raises:
        FormError: nothing is open.
    """
    found = Findings()
    rows = [row for row in _open_lines(books, order) if amount_of(row, "AOPN")]
    if not rows:
        raise found.refusal("0301", f"Order {order.number} has nothing to receive")
    number = books.next_number("receipt")
    day = books.today
    batch = books.open_batch("O", NOTHING)
    lines: list[LedgerLine] = []
    currency = _currency(rows[0])
    for row in rows:
        own, base, units = _portion(row, share, currency)
        _receive_line(books, row, own, base, units, number)
        account = find_account(books, str(row.get("AID", "")))
        received = received_account(books, str(row.get("CO", "")))
        if account is not None and received is not None:
            more = {"AN8": row.get("AN8", 0), "PO": str(order.number), "PDCT": order.kind, "PKCO": order.company}
            lines.append(LedgerLine(Account(account), own, base, more))
            lines.append(LedgerLine(received, -own, -base, more))
    company = books.tables["F0010"].get(rows[0].get("CO", "")) or {}
    period = period_of(books, company, day)
    if lines and period is not None:
        head = {
            "DCT": "OV",
            "DOC": number,
            "KCO": order.company,
            "DGJ": day,
            "EXR": "Receipt",
            **batch,
            **period.columns(),
        }
        write_lines(books, head, currency, lines)
    return {"DOC": number, "DCT": "OV", "ICUT": "O", "ICU": batch["ICU"]}


def match(books: Books, order: OrderKey, invoice: str) -> vouchers.Voucher:
    """Match everything that was received with a voucher; the lines are closed.

    Raises:
        FormError: nothing waits for a voucher, or the voucher is refused.
    """
    found = Findings()
    receipts = [row for row in _rows(books, "F43121", order) if row.get("MATC", "") == "1" and amount_of(row, "AOPN")]
    if not receipts:
        raise found.refusal("0302", f"Order {order.number} has nothing to vouch")
    header = _header(books, order)
    currency = _currency(header)
    item = "FREC" if currency.foreign else "AOPN"
    received = received_account(books, str(receipts[0].get("CO", "")))
    lines = [
        vouchers.Line(received.aid if received else str(row.get("AID", "")), amount_of(row, item), "Received goods")
        for row in receipts
    ]
    made = vouchers.enter(
        books,
        vouchers.VoucherInput(
            company=str(receipts[0].get("CO", "")),
            supplier=int(header["AN8"]),
            invoice=invoice,
            invoice_date=books.today,
            gl_date=books.today,
            gross=sum((line.amount for line in lines), NOTHING),
            currency=currency.code,
            rate=currency.rate or None,
            terms=str(header.get("PTC", "")),
            remark=f"Order {order.number}",
            order=str(order.number),
            order_type=order.kind,
            order_company=order.company,
            lines=lines,
        ),
        found,
    )
    for row in receipts:
        books.write(
            "F43121",
            row,
            {"UPTD": amount_of(row, "UREC"), "UOPN": NOTHING, "APTD": amount_of(row, "AREC"), "AOPN": NOTHING},
        )
        books.write(
            "F43121", row, {"MATC": "2", "DOC": made.number, "DCT": made.kind, "KCO": made.company, "VINV": invoice},
            {"UOPN": NOTHING, "AOPN": NOTHING, "RCDJ": books.today, "DGL": books.today},
        )  # fmt: skip
    for row in _open_lines(books, order):
        if not amount_of(row, "AOPN"):
            _change(books, row, {"LTTR": "440", "NXTR": CLOSED})
    return made


def received_account(books: Books, company: str) -> Account | None:
    """The account for goods received and not vouchered, by the name that the chart gives it."""
    for row in books.tables["F0901"].where(CO=company):
        if "received not vouchered" in str(row.get("DL01", "")).lower():
            return Account(row)
    return None


def _receive_line(books: Books, row: Row, own: Decimal, base: Decimal, units: Decimal, number: int) -> None:
    foreign = _currency(row).foreign
    left = amount_of(row, "AOPN") - base
    own_left = amount_of(row, "FAP") - own if foreign else NOTHING
    earlier = [r for r in books.tables["F43121"].where(DOCO=row["DOCO"], DCTO=row["DCTO"], LNID=row["LNID"])
               if r.get("MATC", "") == "1"]  # fmt: skip
    _change(
        books, row,
        {"UOPN": amount_of(row, "UOPN") - units, "UREC": amount_of(row, "UREC") + units, "AOPN": left, "FAP": own_left},
        {"AREC": amount_of(row, "AREC") + base, "FREC": amount_of(row, "FREC") + own if foreign else NOTHING},
        {} if left else {"LTTR": "400", "NXTR": "440"},
    )  # fmt: skip
    books.write(
        "F43121",
        {name: row.get(name, "") for name in _TAKEN},
        {"MATC": "1", "NLIN": len(earlier) + 1, "KCO": row["KCOO"], "DOC": number, "DCT": "OV", "SFX": "000"},
        {"RCDJ": books.today, "DGL": books.today, "UOPN": units, "UREC": units, "AOPN": base, "AREC": base},
        {"FREC": own if foreign else NOTHING},
    )


def _decide(books: Books, order: OrderKey, letter: str) -> None:
    """Turn the approval row that waits (1N, 2N) into its decision (1A, 1R, ...)."""
    waiting = [
        r for r in _rows(books, "F4209", order) if r.get("HCOD") == "**" and str(r.get("ASTS", "")).endswith("N")
    ]
    for row in waiting:
        books.remove("F4209", row)
        day, time = books.world.stamp_row()
        books.write("F4209", row, {"ASTS": f"{str(row['ASTS'])[0]}{letter}", "RDJ": day, "RDT": time})


def _rows(books: Books, table: str, order: OrderKey) -> list[Row]:
    return books.tables[table].where(**order.columns())


def _header(books: Books, order: OrderKey) -> Row:
    rows = _rows(books, "F4301", order)
    if not rows:
        raise KeyError(f"order {order.number} {order.kind} {order.company}")
    return rows[0]


def _open_lines(books: Books, order: OrderKey) -> list[Row]:
    _header(books, order)
    return [row for row in _rows(books, "F4311", order) if row.get("NXTR", "") != CLOSED]


def _change(books: Books, row: Row, *parts: Written) -> None:
    books.write("F4311", row, *parts, program="P4310")
    header = books.tables["F4301"].where(**{name: row[name] for name in ("DOCO", "DCTO", "KCOO", "SFXO")})
    books.write("F4301", header[0], program="P4310")


def _portion(row: Row, share: Decimal, currency: Currency) -> tuple[Decimal, Decimal, Decimal]:
    """Own amount, domestic amount and units of a share: whole units where there are any."""
    base, units = amount_of(row, "AOPN"), amount_of(row, "UOPN")
    own = amount_of(row, "FAP") if currency.foreign else base
    taken = max(Decimal(1), Decimal(int(units * share))) if units else NOTHING
    fraction = taken / units if units else share
    if fraction >= 1:
        return own, base, units
    part = (own * fraction).quantize(Decimal(1).scaleb(-currency.decimals), ROUND_HALF_UP)
    return part, currency.domestic(part), taken


def _currency(row: Row) -> Currency:
    code = str(row.get("CRCD", ""))
    foreign = bool(row.get("CRR"))
    base = str(row.get("BCRC") or ("USD" if foreign else code))
    return Currency(code, base if foreign else code, 0 if code == "JPY" else 2, 2, amount_of(row, "CRR"))

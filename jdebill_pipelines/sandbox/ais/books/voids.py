"""Voiding payments, vouchers and journal entries.

Belongs here: what is deleted and what is reversed. Not here: posting the reversal.

JDE: what is not posted is deleted without a trace; what is posted is reversed by rows of its own and must be posted
again. A reconciled payment cannot be voided.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from jdebill_pipelines.sandbox.ais.books.base import Books, Written, amount_of
from jdebill_pipelines.sandbox.ais.books.fiscal import Period, check_date
from jdebill_pipelines.sandbox.ais.books.ledger import lines_of, reverse_lines
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Row, Value

NOTHING = Decimal(0)
_AMOUNTS = ("AG", "ATXA", "ATXN", "STAM", "ADSC", "ACR", "CTXA", "CTXN", "CTAM", "CDS")


@dataclass(frozen=True)
class Void:
    """What was done: DELETED or VOIDED, and the batch that holds it."""

    status: str
    batch_type: str
    batch: int


def void_payment(books: Books, payment_id: int, day: str, remark: str, found: Findings) -> Void:
    """Void a payment, and the voucher with it when it was entered with the payment (PM).

    Raises:
        FormError: it does not exist, is voided already, is reconciled, or the date is refused.
    """
    header = books.tables["F0413"].get(payment_id)
    if header is None:
        raise found.refusal("0193", f"Payment {payment_id} does not exist")
    rows = books.tables["F0414"].with_value("PYID", payment_id)
    company = books.company(str(rows[0].get("CO", "")) if rows else "", found)
    period = check_date(books, company, day, found)
    if header.get("VDGJ", ""):
        found.error("0201", f"Payment {payment_id} is voided already")
    if header.get("RCND", ""):
        found.error("0202", f"Payment {payment_id} is reconciled and cannot be voided")
    found.stop_if_wrong()
    void = Void("VOIDED" if header.get("ISTP", "") else "DELETED", str(header["ICUT"]), int(header["ICU"]))
    for row in list(rows):
        _reopen(books, row)
    if void.status == "DELETED":
        _delete_payment(books, header, rows, void)
        return void
    line = max(int(row.get("RC5", 0)) for row in rows)
    for at, row in enumerate(list(rows), start=1):
        opposite: Written = {name: -amount_of(row, name) for name in ("PAAP", "ADSC", "ADSA", "PFAP", "CDS", "CDSA")}
        more: Written = {"RC5": line + at, "DCTM": "PO", "POST": "", "RMK": remark or row.get("RMK", "")}
        books.write("F0414", row, opposite, more, period.columns())
    books.write("F0413", header, {"VDGJ": day, "PAAP": NOTHING, "ISTP": ""})
    books.world.gl_dates[payment_id, "PO"] = day
    books.reopen_batch(void.batch_type, void.batch)
    for row in _made_with_payment(books, rows):
        _reverse_voucher(books, [row], day, remark, period, {"ICUT": void.batch_type, "ICU": void.batch})
    return void


def void_document(books: Books, number: int, kind: str, company: str, day: str, remark: str, found: Findings) -> Void:
    """Void a voucher or a journal entry.

    Raises:
        FormError: it does not exist, is voided or paid already, was matched in procurement, or the date is refused.
    """
    items = [row for row in books.tables["F0411"].where(DOC=number, DCT=kind, KCO=company) if not row.get("SFXE")]
    if items:
        paid = _payment_of(books, items)
        if kind == "PM" and paid is not None:
            return void_payment(books, paid, day, remark, found)
        return _void_voucher(books, items, day, remark, found)
    return _void_journal(books, number, kind, company, day, remark, found)


def _reopen(books: Books, paid: Row) -> None:
    """Give a voucher its open amount back."""
    row = books.tables["F0411"].get(paid["DOC"], paid["DCT"], paid["KCO"], paid["SFX"], paid.get("SFXE", 0))
    if row is None:
        return
    own = row.get("CRRM", "") == "F"
    taken = amount_of(paid, "PFAP") + amount_of(paid, "CDSA") if own else NOTHING
    base = amount_of(row, "AAP") + amount_of(paid, "PAAP") + amount_of(paid, "ADSA")
    if own:
        # The voucher gets back what it lost at its own rate, whatever rate the payment had.
        whole = amount_of(row, "FAP") + taken == amount_of(row, "ACR")
        given = (taken * amount_of(row, "CRR")).quantize(Decimal("0.01"))
        base = amount_of(row, "AG") if whole else amount_of(row, "AAP") + given
    books.write(
        "F0411",
        row,
        {"AAP": base, "FAP": amount_of(row, "FAP") + taken, "PST": "A"},
        {
            "ADSA": amount_of(row, "ADSA") - amount_of(paid, "ADSA"),
            "CDSA": amount_of(row, "CDSA") - amount_of(paid, "CDSA"),
        },
        program="P0413M",
    )


def _made_with_payment(books: Books, rows: list[Row]) -> list[Row]:
    found = []
    for row in rows:
        if row.get("DCT", "") == "PM" and row.get("DCTM", "") != "PO":
            voucher = books.tables["F0411"].get(row["DOC"], "PM", row["KCO"], row["SFX"], 0)
            if voucher is not None:
                found.append(voucher)
    return found


def _delete_payment(books: Books, header: Row, rows: list[Row], void: Void) -> None:
    vouchers = _made_with_payment(books, rows)
    for row in list(rows):
        books.remove("F0414", row)
    books.remove("F0413", header)
    for voucher in vouchers:
        _delete_voucher(books, [voucher])
    books.close_batch(void.batch_type, void.batch)


def _payment_of(books: Books, items: list[Row]) -> int | None:
    for item in items:
        rows = books.tables["F0414"].where(DOC=item["DOC"], DCT=item["DCT"], KCO=item["KCO"])
        for row in rows:
            header = books.tables["F0413"].get(row["PYID"])
            if header is not None and not header.get("VDGJ", ""):
                return int(row["PYID"])
    return None


def _void_voucher(books: Books, items: list[Row], day: str, remark: str, found: Findings) -> Void:
    first = items[0]
    number, kind = int(first["DOC"]), str(first["DCT"])
    company = books.company(str(first.get("CO", "")), found)
    period = check_date(books, company, day, found)
    if any(row.get("VOD", "") for row in items):
        found.error("0201", f"Voucher {number} is voided already")
    elif any(amount_of(row, "AAP") != amount_of(row, "AG") for row in items):
        found.error("0203", f"Voucher {number} is paid, in part or in full; void the payment first")
    if books.tables["F43121"].where(DOC=number, DCT=kind, MATC="2"):
        found.error("0204", f"Voucher {number} was matched in procurement and must be reversed there")
    found.stop_if_wrong()
    if first.get("POST", "") != "D":
        void = Void("DELETED", str(first.get("ICUT", "V")), int(first.get("ICU", 0)))
        _delete_voucher(books, items)
        books.close_batch(void.batch_type, void.batch)
        return void
    batch = books.open_batch("V", -sum((amount_of(row, "AG") for row in items), NOTHING))
    _reverse_voucher(books, items, day, remark, period, batch)
    return Void("VOIDED", "V", int(batch["ICU"]))


def _delete_voucher(books: Books, items: list[Row]) -> None:
    for row in items:
        for line in list(lines_of(books, str(row["DCT"]), int(row["DOC"]), str(row["KCO"]))):
            books.remove("F0911", line)
        current = books.tables["F0411"].get(*books.tables["F0411"].key_of(row))
        if current is not None:
            books.remove("F0411", current)


def _reverse_voucher(
    books: Books, items: list[Row], day: str, remark: str, period: Period, batch: dict[str, Value]
) -> None:
    """Close each pay item and write its opposite: extension 1, adjusting type PE, unposted."""
    for row in items:
        books.write("F0411", row, {"AAP": NOTHING, "FAP": NOTHING, "PST": "P", "VOD": "V"}, program="P0411")
        opposite = {name: -amount_of(row, name) for name in _AMOUNTS}
        books.write(
            "F0411", row, opposite, batch, period.columns(),
            {"SFXE": 1, "DCTA": "PE", "DGJ": day, "POST": "", "PST": "P", "VOD": "V", "AAP": NOTHING, "FAP": NOTHING},
            {"RMK": remark or row.get("RMK", "")},
            program="P0411",
        )  # fmt: skip
    first = items[0]
    lines = lines_of(books, str(first["DCT"]), int(first["DOC"]), str(first["KCO"]))
    head: dict[str, Value] = {"DCT": "PE", "DOC": first["DOC"], "KCO": first["KCO"], "DGJ": day}
    reverse_lines(books, list(lines), {**head, **batch, **period.columns()}, remark)


def _void_journal(books: Books, number: int, kind: str, company: str, day: str, remark: str, found: Findings) -> Void:
    lines = [row for row in lines_of(books, kind, number, company) if row.get("ICUT", "") == "G"]
    if not lines:
        found.error("0193", f"Document {number} {kind} {company} does not exist")
    if any(row.get("RE", "") == "V" for row in lines):
        found.error("0201", f"Document {number} {kind} {company} is voided already")
    period = check_date(books, books.company(company, found), day, found, system="gl", kind=kind)
    found.stop_if_wrong()
    if not any(row.get("POST", "") for row in lines):
        void = Void("DELETED", "G", int(lines[0]["ICU"]))
        for row in list(lines):
            books.remove("F0911", row)
        books.close_batch("G", void.batch)
        return void
    debits = sum((amount_of(r, "AA") for r in lines if r.get("LT") == "AA" and amount_of(r, "AA") > 0), NOTHING)
    batch = books.open_batch("G", debits)
    head: dict[str, Value] = {"DCT": kind, "DOC": number, "KCO": company, "DGJ": day, **batch, **period.columns()}
    reverse_lines(books, list(lines), head, remark)
    return Void("VOIDED", "G", int(batch["ICU"]))

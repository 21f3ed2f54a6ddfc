"""Whether what JDE holds is what was posted: the rows of a document, read back and compared with its content.

Belongs here: the comparison, to the cent and account by account. Does not belong here: reading the rows, or posting.

Sources: JDE: a payment is one F0413 row and one F0414 row per pay item; ``PAAP`` is in the company's currency, ``PFAP``
in the payment's when that is foreign (CRRM ``F``); the sign of both is not documented, so their absolute value is
compared, and ``DCTM`` says the direction (``PO`` = void). F0911 has lines of a payment only when its batch is posted. A
void of an unposted payment deletes it without trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.domain.keys import BadKeyError, whole
from jdebill_pipelines.domain.payments import money
from jdebill_pipelines.domain.rows import ZERO, Row, day, number, text
from jdebill_pipelines.domain.verdicts import Failure

VOID = "PO"
RULE = "posting_matches_jde"


class PaymentRows(msgspec.Struct, frozen=True):
    """What JDE holds of a payment.

    Attributes:
        header: the F0413 row, None when it is gone.
        details: its F0414 rows.
        items: the F0411 rows of the pay items that it pays.
        ledger: F0911 rows of its batch.
    """

    header: Row | None
    details: Sequence[Row] = ()
    items: Sequence[Row] = ()
    ledger: Sequence[Row] = ()


def payment_differences(content: Mapping[str, Any], rows: PaymentRows, expected: Sequence[Row]) -> list[Failure]:
    """Compare a payment.

    Args:
        content: as it was posted, of route ``payment`` or ``voucher``.
        rows: what JDE holds.
        expected: its pay items, as in the content of a payment: ``document_company`` ... ``discount``.
    """
    if rows.header is None:
        return [_differs("F0413", "a payment", "none", "The payment is not in JD Edwards.")]
    payee = str(content.get("payee") or content.get("supplier") or "")
    found = [
        *_compare("F0413.PYE", payee, _plain(rows.header, "PYE")),
        *_compare("F0413.GLBA", str(content["bank_account"]), text(rows.header, "GLBA")),
        *_compare("F0413.DMTJ", str(content["payment_date"]), _iso(day(rows.header, "DMTJ"))),
    ]
    paid = [row for row in rows.details if text(row, "DCTM") != VOID]
    by_key = {_item_key(row): row for row in paid}
    for item in expected:
        key = "{document_company}-{document_type}-{document_number}-{pay_item}".format_map(item)
        row = by_key.pop(key, None)
        if row is None:
            found.append(_differs("F0414", f"pay item {key}", "none", "A pay item is missing.", f"pay item {key}"))
            continue
        amount, taken = ("PFAP", "CDSA") if text(row, "CRRM") == "F" else ("PAAP", "ADSA")
        where = f"pay item {key}"
        found += _compare(f"F0414.{amount}", abs(money(item["amount"])), abs(number(row, amount)), where)
        found += _compare(f"F0414.{taken}", abs(money(item["discount"])), abs(number(row, taken)), where)
        found += _reduced(item, [r for r in rows.items if _item_key(r) == key], where)
    for key in by_key:
        found.append(_differs("F0414", "none", f"pay item {key}", "JD Edwards paid another pay item too.", key))
    total = abs(sum((number(row, "PAAP") for row in paid), ZERO))
    if not day(rows.header, "VDGJ"):
        found += _compare("F0413.PAAP", total, abs(number(rows.header, "PAAP")))
    bank = [r for r in rows.ledger if text(r, "LT") == "AA" and text(r, "DCT") != VOID and _same_payment(r, rows)]
    on_bank = [r for r in bank if text(r, "AID") == str(content["bank_account"])]
    if bank:
        found += _compare("F0911.AA", -total, sum((number(r, "AA") for r in on_bank), ZERO), "bank account")
    return found


def voucher_differences(
    content: Mapping[str, Any], items: Sequence[Row], ledger: Sequence[Row], *, invoice_number: str
) -> list[Failure]:
    """Compare a voucher: its pay items (F0411) and its distribution (F0911), without automatic entries."""
    own = [row for row in items if number(row, "SFXE") == ZERO]
    if not own:
        return [_differs("F0411", "a voucher", "none", "The voucher is not in JD Edwards.")]
    first = own[0]
    gross = "ACR" if text(first, "CRRM") == "F" else "AG"
    return [
        *_compare("F0411.AN8", str(content["supplier"]), _plain(first, "AN8")),
        *_compare("F0411.VINV", invoice_number, text(first, "VINV")),
        *_compare("F0411.CRCD", str(content["currency"]), text(first, "CRCD") or str(content["currency"])),
        *_compare(f"F0411.{gross}", money(content["amount"]), sum((number(r, gross) for r in own), ZERO)),
        *_compare("F0411.DGJ", str(content["gl_date"]), _iso(day(first, "DGJ"))),
        *_lines_differ(content["lines"], ledger),
    ]


def journal_differences(content: Mapping[str, Any], ledger: Sequence[Row]) -> list[Failure]:
    """Compare a journal entry line by line."""
    if not ledger:
        return [_differs("F0911", "a journal entry", "none", "The journal entry is not in JD Edwards.")]
    return [
        *_compare("F0911.DGJ", str(content["gl_date"]), _iso(day(ledger[0], "DGJ"))),
        *_lines_differ(content["lines"], ledger),
    ]


def is_void_payment(rows: PaymentRows) -> bool:
    """Whether a payment is undone: voided, or gone."""
    return rows.header is None or day(rows.header, "VDGJ") is not None


def is_void_voucher(items: Sequence[Row]) -> bool:
    """Whether a voucher is undone: voided, or gone."""
    return all(text(row, "VOD") == "V" for row in items)


def void_differences(undone: bool) -> list[Failure]:
    """Compare a reversal."""
    if undone:
        return []
    return [_differs("F0413.VDGJ", "void", "not void", "BILL voided the payment; in JD Edwards it still stands.")]


def _reduced(item: Mapping[str, Any], rows: Sequence[Row], where: str) -> list[Failure]:
    """What is open of a pay item must have fallen by what was paid of it at least."""
    if not rows:
        return []
    first = rows[0]
    gross, left = ("ACR", "FAP") if text(first, "CRRM") == "F" else ("AG", "AAP")
    settled = abs(sum((number(r, gross) for r in rows), ZERO) - sum((number(r, left) for r in rows), ZERO))
    wanted = abs(money(item["amount"]) + money(item["discount"]))
    if settled >= wanted:
        return []
    return [_differs(f"F0411.{left}", str(wanted), str(settled), "The open amount has not fallen by it.", where)]


def _lines_differ(lines: Iterable[Mapping[str, Any]], ledger: Sequence[Row]) -> list[Failure]:
    own = [r for r in ledger if text(r, "DCT") not in ("AE", "PE") and text(r, "RE") != "V"]
    foreign = any(text(r, "CRRM") == "F" for r in own)
    currency = [r for r in own if text(r, "LT") == "CA"]
    rows = currency if foreign and currency else [r for r in own if text(r, "LT") == "AA"]
    item = "ACR" if foreign and not currency else "AA"
    wanted = Counter((_account(line), money(line["amount"])) for line in lines)
    by_aid = {_account(line) for line in lines if line.get("account")}
    there = Counter((_ledger_account(row, by_aid), number(row, item)) for row in rows)
    missing, more = wanted - there, there - wanted
    return [
        *(
            _differs("F0911", f"{amount} on {account}", "no such line", "A line is missing.", account)
            for (account, amount) in missing.elements()
        ),
        *(
            _differs("F0911", "no such line", f"{amount} on {account}", "There is a line too many.", account)
            for (account, amount) in more.elements()
        ),
    ]


def _account(line: Mapping[str, Any]) -> str:
    if line.get("account"):
        return str(line["account"])
    return ".".join(str(line[k]) for k in ("business_unit", "object", "subsidiary") if line.get(k))


def _ledger_account(row: Row, by_aid: set[str]) -> str:
    aid = text(row, "AID")
    return aid if aid in by_aid else ".".join(p for p in (text(row, i) for i in ("MCU", "OBJ", "SUB")) if p)


def _same_payment(row: Row, rows: PaymentRows) -> bool:
    assert rows.header is not None
    return number(row, "PYID") in (ZERO, number(rows.header, "PYID"))


def _item_key(row: Row) -> str:
    return f"{text(row, 'KCO')}-{text(row, 'DCT')}-{whole(row['DOC'])}-{text(row, 'SFX')}"


def _plain(row: Row, item: str) -> str:
    try:
        return str(whole(row[item]))
    except BadKeyError:
        return str(row[item])


def _iso(when: date | None) -> str:
    return when.isoformat() if when is not None else ""


def _compare(field: str, wanted: str | Decimal, there: str | Decimal, line: str = "") -> list[Failure]:
    if wanted == there:
        return []
    return [_differs(field, str(wanted), str(there), f"{field} is not what was posted.", line)]


def _differs(field: str, wanted: str, there: str, reason: str, line: str = "") -> Failure:
    return Failure(
        line,
        field,
        there,
        f"{reason} Posted: {wanted or 'blank'}; in JD Edwards: {there or 'blank'}.",
        "Find out in JD Edwards who changed the document, and correct it there; it is compared again on the next run.",
        RULE,
    )

"""The gate of postings into JD Edwards: nothing is posted that JDE would book wrongly.

Belongs here: verdicts on posting drafts. Does not belong here: what a payment becomes (``domain.postings``).

Sources: JDE books a payment against pay items with an open amount (F0411.AAP, FAP), on a bank account of the general
ledger (F0901, registered in F0030 as type G), with a G/L date in an open period (F0010, F0008); a journal entry must
add up to zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.domain.gl_mapping import GlMap
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.payments import money
from jdebill_pipelines.domain.periods import CompanyCalendar
from jdebill_pipelines.domain.posting_documents import OpenItem, PostingDraft
from jdebill_pipelines.domain.rows import ZERO
from jdebill_pipelines.domain.verdicts import Failure, Verdict
from jdebill_pipelines.schemas.posting_lines import judge_posting_lines
from jdebill_pipelines.schemas.rules import Rule, failing_rows, failure_of, frame_of, is_true, not_blank, schema_of


class PostingReference(msgspec.Struct, frozen=True):
    """JDE's reference data, as it is now.

    Attributes:
        gl: accounts and business units.
        open_items: pay items by voucher key, read freshly.
        calendars: payables calendar by company; ``ledger_calendars`` for journal entries.
        bank_accounts: short ids that F0030 knows as company bank accounts, None when F0030 cannot be read.
    """

    gl: GlMap
    open_items: Mapping[str, Sequence[OpenItem]]
    calendars: Mapping[str, CompanyCalendar]
    ledger_calendars: Mapping[str, CompanyCalendar] = {}
    currencies: Currencies = Currencies()
    bank_accounts: frozenset[str] | None = None


_AGAIN = "Make the posting drafts of this month again."
RULES = (
    Rule(
        "gl_date_open",
        "date_open",
        is_true,
        "F0010.APPN",
        "gl_date",
        "The G/L date {gl_date} is in no open period of company {company} ({date_state}).",
        "Open the period in JD Edwards, or let the connection date such payments on the next open day.",
    ),
    Rule(
        "bank_account",
        "bank_right",
        is_true,
        "bank_account",
        "bank",
        "The bank account {bank!r} {bank_problem}.",
        "Correct sync.bank_account of the connection: the short id of a G/L bank account of the company.",
    ),
    Rule(
        "amount_total",
        "amount_right",
        is_true,
        "amount",
        "amount",
        "The posting is over {amount} {currency}, its parts add up to {parts}.",
        _AGAIN,
    ),
    Rule(
        "paid_amount",
        "paid_right",
        is_true,
        "amount",
        "amount",
        "The posting is over {amount} {currency}, BILL paid {paid}.",
        _AGAIN,
    ),
    Rule(
        "decimals",
        "decimals_right",
        is_true,
        "amount",
        "amount",
        "{amount} is not an amount of {currency}.",
        "Correct the currency of the document or the payment.",
    ),
    Rule("reference", "reference", not_blank, "reference", "", "The posting has no reference to the payment.", _AGAIN),
)
COLUMNS = (
    "company gl_date date_open date_state bank bank_right bank_problem amount parts amount_right paid paid_right "
    "currency decimals_right reference"
)
_COLUMNS = tuple(COLUMNS.split())
_SCHEMA = schema_of(RULES, _COLUMNS)


def judge_postings(drafts: Iterable[PostingDraft], reference: PostingReference) -> list[Verdict]:
    """Judge every posting draft that is due or held, in order; one that is not due is not posted and gets no verdict.

    Vouchers are judged in sequence: what one draft settles is not open for the next.
    """
    judged = [draft for draft in drafts if draft.status != "not_due"]
    ready = [i for i, draft in enumerate(judged) if draft.content]
    found = {i: list(d.problems) or [_held(d)] for i, d in enumerate(judged) if d.problems or d.status == "held"}
    rows = [_row(judged[i], reference) for i in ready]
    for place, rule in failing_rows(frame_of(_COLUMNS, rows), _SCHEMA, RULES):
        row = dict(zip(_COLUMNS, rows[place], strict=True))
        found.setdefault(ready[place], []).append(failure_of(rule, row))
    for place, failures in judge_posting_lines([judged[i] for i in ready], reference.gl).items():
        found.setdefault(ready[place], []).extend(failures)
    for index, failures in _not_open([(i, judged[i]) for i in ready], reference.open_items).items():
        found.setdefault(index, []).extend(failures)
    return [
        Verdict(
            "posting",
            draft.natural_key,
            draft.content_hash,
            index not in found,
            tuple(found.get(index, ())),
        )
        for index, draft in enumerate(judged)
    ]


def _held(draft: PostingDraft) -> Failure:
    return Failure("", "", "", draft.reason or "The posting is held.", f"Resolve the reason. {_AGAIN}", "held")


def _row(draft: PostingDraft, reference: PostingReference) -> tuple[Any, ...]:
    content = draft.content
    company, gl_date = str(content["company"]), str(content["gl_date"])
    journal = "journal" in (content["route"], content.get("original_route"))
    calendars = reference.ledger_calendars if journal else reference.calendars
    calendar = calendars.get(company) or reference.calendars.get(company)
    judged = calendar.judge(date.fromisoformat(gl_date)) if calendar is not None else None
    amount = money(content["amount"])
    parts = _parts(content, amount)
    bank, bank_problem = _bank(content, company, reference)
    currency = str(content["currency"])
    known = reference.currencies.known(currency)
    return (
        company,
        gl_date,
        judged is not None and judged.accepted,
        str(judged.state) if judged is not None else "company not set up",
        bank,
        not bank_problem,
        bank_problem,
        amount,
        parts,
        parts == amount,
        draft.amount,
        amount == draft.amount,
        currency,
        known and reference.currencies.fits(amount, currency),
        str(content.get("reference") or ""),
    )


def _parts(content: Mapping[str, Any], amount: Decimal) -> Decimal:
    """What the parts add up to: vouchers and voucher lines to the amount, journal lines to zero."""
    if content["route"] == "payment":
        return sum((money(v["amount"]) for v in content["vouchers"]), ZERO)
    if content["route"] == "voucher":
        return sum((money(line["amount"]) for line in content["lines"]), ZERO)
    if content["route"] == "journal":
        return amount + sum((money(line["amount"]) for line in content["lines"]), ZERO)
    return amount


def _bank(content: Mapping[str, Any], company: str, reference: PostingReference) -> tuple[str, str]:
    """Return the bank account of a posting and what is wrong with it, '' when nothing is."""
    if content["route"] == "void":
        return "", ""
    if content["route"] == "journal":
        bank = str(content["lines"][-1].get("account") or "")
    else:
        bank = str(content["bank_account"])
    if not bank:
        return "", "is missing"
    entry = reference.gl.entry(bank)
    if entry is None:
        return bank, "does not exist in JD Edwards (F0901)"
    if entry.posting_code in ("N", "I", "B"):
        return bank, f"does not take postings (posting edit code {entry.posting_code})"
    if entry.company != company:
        return bank, f"belongs to company {entry.company}, the document to company {company}"
    if entry.currency and entry.currency != content["currency"]:
        return bank, f"takes {entry.currency} only"
    if reference.bank_accounts is not None and bank not in reference.bank_accounts:
        return bank, "is not registered as a bank account in JD Edwards (F0030, type G)"
    return bank, ""


def _not_open(
    drafts: Iterable[tuple[int, PostingDraft]], open_items: Mapping[str, Sequence[OpenItem]]
) -> dict[int, list[Failure]]:
    """Every pay item must be open for what is settled of it, discount included, after the drafts before."""
    left = {item.key: item.open for items in open_items.values() for item in items}
    found: dict[int, list[Failure]] = defaultdict(list)
    for index, draft in drafts:
        if draft.content["route"] != "payment" or draft.status != "due":
            continue
        for voucher in draft.content["vouchers"]:
            key = "{document_company}-{document_type}-{document_number}-{pay_item}".format_map(voucher)
            settled = money(voucher["amount"]) + money(voucher["discount"])
            remaining = left.get(key, ZERO)
            if settled * remaining <= 0 or abs(settled) > abs(remaining):
                found[index].append(
                    Failure(
                        f"pay item {key}",
                        "F0411.AAP",
                        str(remaining),
                        f"{settled} of pay item {key} is to be settled, but {remaining} is open in JD Edwards.",
                        "Find out in JD Edwards who paid or changed the voucher; void the payment in BILL if it paid "
                        "twice.",
                        "voucher_open",
                    )
                )
            else:
                left[key] = remaining - settled
    return dict(found)

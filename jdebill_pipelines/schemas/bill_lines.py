"""The lines of bills and vendor credits: accounts, business units and their BILL tags.

Belongs here: what must be true of one line. Does not belong here: the document as a whole (``bill_headers``).

Sources: JDE F0901.PEC says whether an account posts (blank does; B budget only, I inactive, M machine entries only,
N not at all, U only with units; L and S need a subledger, X forbids one), F0006.PECC whether a business unit is open
(blank), F0901.CRCD the only currency of a monetary account.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from jdebill_pipelines.domain.documents import BillDraft, BillLine
from jdebill_pipelines.domain.gl_mapping import GlEntry, GlMap, Side
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.verdicts import Failure
from jdebill_pipelines.schemas.rules import Rule, failing_rows, failure_of, frame_of, is_true, not_blank, schema_of

NEEDS_SUBLEDGER = frozenset(("L", "S"))
FORBIDS_SUBLEDGER = "X"
POSTING = frozenset(("", *NEEDS_SUBLEDGER, FORBIDS_SUBLEDGER))
USABLE = (Side.OK, Side.UNUSED)

RULES = (
    Rule(
        "account_given",
        "account",
        not_blank,
        "AID",
        "account",
        "The line names no account.",
        "Enter the account of the line in JD Edwards.",
    ),
    Rule(
        "account_exists",
        "known",
        is_true,
        "AID",
        "account",
        "Account {account} does not exist in JD Edwards' account master (F0901).",
        "Correct the account of the line, or create account {account} in JD Edwards.",
    ),
    Rule(
        "account_posts",
        "posting_code",
        lambda c: c.isin(POSTING),
        "F0901.PEC",
        "posting_code",
        "Account {account} does not take postings (posting edit code {posting_code}).",
        "Use a posting account on the line, or change the posting edit code of {account} in JD Edwards.",
    ),
    Rule(
        "subledger",
        "subledger_right",
        is_true,
        "SBL",
        "subledger",
        "Account {account} and the subledger of the line do not go together (posting edit code {posting_code}).",
        "Enter a subledger on the line for codes L and S, remove it for code X.",
    ),
    Rule(
        "account_company",
        "same_company",
        is_true,
        "F0901.CO",
        "account_company",
        "Account {account} belongs to company {account_company}, the document to company {company}.",
        "Use an account of company {company} on the line.",
    ),
    Rule(
        "account_currency",
        "same_currency",
        is_true,
        "F0901.CRCD",
        "account_currency",
        "Account {account} takes {account_currency} only, the document is in {currency}.",
        "Use another account on the line, or correct the currency of the document.",
    ),
    Rule(
        "unit_exists",
        "unit_known",
        is_true,
        "MCU",
        "unit",
        "Business unit {unit} does not exist in JD Edwards (F0006).",
        "Correct the business unit of the line, or create it in JD Edwards.",
    ),
    Rule(
        "unit_open",
        "unit_code",
        lambda c: c.eq(""),
        "F0006.PECC",
        "unit_code",
        "Business unit {unit} is not open for posting (posting edit code {unit_code}).",
        "Use an open business unit on the line, or open {unit} in JD Edwards.",
    ),
    Rule(
        "bill_account",
        "account_state",
        lambda c: c.isin(USABLE),
        "chartOfAccountId",
        "number",
        "BILL account {number} for JD Edwards account {account} is {account_state}.",
        "Create or restore account {number} in BILL (one only), let the connection create it, or map {account} in the "
        "override file.",
    ),
    Rule(
        "bill_department",
        "department_state",
        lambda c: c.isin(USABLE),
        "departmentId",
        "department",
        "BILL department {department} for business unit {unit} is {department_state}.",
        "Create or restore department {department} in BILL (one only), let the connection create it, or map {account} "
        "in the override file.",
    ),
    Rule(
        "tags_current",
        "tags_current",
        is_true,
        "classifications",
        "tags",
        "The line carries BILL tags that the mapping no longer gives for account {account}.",
        "Make the drafts of this month again.",
    ),
    Rule(
        "line_amount",
        "amount_fits",
        is_true,
        "amount",
        "amount",
        "The amount {amount} is not an amount of {currency}.",
        "Correct the amount of the line in JD Edwards.",
    ),
)
COLUMNS = (
    "document account known posting_code subledger subledger_right company account_company same_company currency "
    "account_currency same_currency unit unit_known unit_code number account_state department department_state "
    "tags tags_current amount amount_fits line"
)
_COLUMNS = tuple(COLUMNS.split())
_SCHEMA = schema_of(RULES, _COLUMNS)


def judge_lines(drafts: Sequence[BillDraft], gl: GlMap, currencies: Currencies) -> dict[int, list[Failure]]:
    """Return the failures of every draft's lines, by the draft's place in the sequence."""
    rows = list(_rows(drafts, gl, currencies))
    frame = frame_of(_COLUMNS, rows)
    found: dict[int, list[Failure]] = {}
    for index, rule in failing_rows(frame, _SCHEMA, RULES):
        row = dict(zip(_COLUMNS, rows[index], strict=True))
        # Nothing more can be said of an account that is not there.
        if not row["known"] and rule.name not in ("account_given", "account_exists", "line_amount"):
            continue
        if not row["account"] and rule.name == "account_exists":
            continue
        if not row["unit_known"] and rule.name == "unit_open":
            continue
        found.setdefault(row["document"], []).append(failure_of(rule, row, row["line"]))
    return found


def subledger_right(posting_code: str, subledger: str) -> bool:
    """Tell whether a line has a subledger where its account needs one, and none where it forbids one."""
    if posting_code in NEEDS_SUBLEDGER:
        return subledger != ""
    return posting_code != FORBIDS_SUBLEDGER or subledger == ""


def _rows(drafts: Sequence[BillDraft], gl: GlMap, currencies: Currencies) -> Iterable[tuple[Any, ...]]:
    for index, draft in enumerate(drafts):
        for line in draft.lines:
            entry = gl.resolve(line.aid, line.business_unit, line.object, line.subsidiary)
            yield (index, *_row(draft, line, entry, gl, currencies))


def _row(draft: BillDraft, line: BillLine, entry: GlEntry | None, gl: GlMap, currencies: Currencies) -> tuple[Any, ...]:
    fits = isinstance(line.amount, Decimal) and (
        currencies.fits(line.amount, draft.currency) if currencies.known(draft.currency) else True
    )
    tail = (line.amount, fits, line.line)
    if entry is None:
        empty = ("", line.subledger, True, draft.company, "", True, draft.currency, "", True, line.business_unit)
        return (line.account_code, False, *empty, True, "", "", Side.OK, "", Side.OK, "", True, *tail)
    unit = gl.units.get(entry.business_unit)
    pec = entry.posting_code
    return (
        entry.code,
        True,
        pec,
        line.subledger,
        subledger_right(pec, line.subledger),
        draft.company,
        entry.company,
        entry.company == draft.company,
        draft.currency,
        entry.currency,
        entry.currency in ("", draft.currency),
        entry.business_unit,
        unit is not None,
        unit.posting_code if unit is not None else "",
        entry.account_number,
        entry.bill_account_state,
        entry.department,
        entry.bill_department_state,
        f"{line.bill_account_id} {line.bill_department_id}".strip(),
        (line.bill_account_id, line.bill_department_id) == (entry.bill_account_id, entry.bill_department_id),
        *tail,
    )

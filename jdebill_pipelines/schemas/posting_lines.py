"""The lines of vouchers and journal entries that are posted in JD Edwards.

Belongs here: accounts and business units of posting lines. Does not belong here: the posting as a whole
(``posting_gate``). The rules about accounts are those of bill lines, without the BILL side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jdebill_pipelines.domain.gl_mapping import GlMap
from jdebill_pipelines.domain.posting_documents import PostingDraft
from jdebill_pipelines.domain.verdicts import Failure
from jdebill_pipelines.schemas import bill_lines
from jdebill_pipelines.schemas.rules import failing_rows, failure_of, frame_of, schema_of

_NAMES = (
    "account_given",
    "account_exists",
    "account_posts",
    "subledger",
    "account_company",
    "account_currency",
    "unit_exists",
    "unit_open",
)
RULES = tuple(rule for rule in bill_lines.RULES if rule.name in _NAMES)
COLUMNS = (
    "document account known posting_code subledger subledger_right company account_company same_company currency "
    "account_currency same_currency unit unit_known unit_code line"
)
_COLUMNS = tuple(COLUMNS.split())
_SCHEMA = schema_of(RULES, _COLUMNS)
_OF_UNKNOWN = ("account_given", "account_exists")


def judge_posting_lines(drafts: Sequence[PostingDraft], gl: GlMap) -> dict[int, list[Failure]]:
    """Return the failures of every draft's lines, by the draft's place; payments and voids have none."""
    rows = [
        _row(index, n, line, draft, gl)
        for index, draft in enumerate(drafts)
        for n, line in enumerate(draft.content.get("lines", ()), start=1)
    ]
    found: dict[int, list[Failure]] = {}
    for place, rule in failing_rows(frame_of(_COLUMNS, rows), _SCHEMA, RULES):
        row = dict(zip(_COLUMNS, rows[place], strict=True))
        if not row["known"] and rule.name not in _OF_UNKNOWN:
            continue
        if not row["account"] and rule.name == "account_exists":
            continue
        if not row["unit_known"] and rule.name == "unit_open":
            continue
        found.setdefault(row["document"], []).append(failure_of(rule, row, row["line"]))
    return found


def _row(index: int, n: int, line: dict[str, Any], draft: PostingDraft, gl: GlMap) -> tuple[Any, ...]:
    aid, parts = (
        str(line.get("account") or ""),
        [str(line.get(k) or "") for k in ("business_unit", "object", "subsidiary")],
    )
    entry = gl.resolve(aid, *parts)
    company, currency = draft.content["company"], draft.content["currency"]
    subledger = str(line.get("subledger") or "")
    label = f"line {n}"
    if entry is None:
        shown = ".".join(p for p in parts if p) or aid
        return (index, shown, False, "", subledger, True, company, "", True, currency, "", True, "", True, "", label)
    unit = gl.units.get(entry.business_unit)
    return (
        index,
        entry.code,
        True,
        entry.posting_code,
        subledger,
        bill_lines.subledger_right(entry.posting_code, subledger),
        company,
        entry.company,
        entry.company == company,
        currency,
        entry.currency,
        entry.currency in ("", currency),
        entry.business_unit,
        unit is not None,
        unit.posting_code if unit is not None else "",
        label,
    )

"""JDE accounts and business units as BILL accounts and departments."""

from __future__ import annotations

from typing import Any

import pytest

from jdebill_pipelines.domain.gl_mapping import (
    GlRules,
    OverrideError,
    Side,
    TemplateError,
    check_template,
    parse_overrides,
    render,
)
from jdebill_pipelines_tests.domain.cases import bill_account, bill_department, gl_map

WORDS = {"object": "6110", "subsidiary": "", "business_unit": "30", "description": "Repairs"}


def test_templates() -> None:
    """Empty words leave no separators; a wrong word or brace is said at once."""
    assert render("{object}.{subsidiary}", WORDS) == "6110"
    assert render("{business_unit}-{object} {description}", WORDS) == "30-6110 Repairs"
    for wrong in ("{objekt}", "{object", "{}"):
        with pytest.raises(TemplateError):
            check_template(wrong)
    with pytest.raises(TemplateError, match="unknown word 'unit'"):
        GlRules(department="{unit}")


@pytest.mark.parametrize(
    ("accounts", "state"),
    [
        ([bill_account("6110")], Side.OK),
        ([], Side.MISSING),
        ([bill_account("6110", archived=True)], Side.ARCHIVED),
        ([bill_account("6110"), bill_account("6110", archived=True, id_="0caOLD")], Side.OK),
        ([bill_account("6110"), bill_account("6110", id_="0caTWIN")], Side.AMBIGUOUS),
    ],
)
def test_the_state_of_the_bill_side(accounts: list[dict[str, Any]], state: Side) -> None:
    """Present, missing, archived, twice: an archived namesake of a live account does not matter."""
    entry = gl_map(accounts=accounts).entry("00000001")
    assert entry is not None
    assert entry.bill_account_state is state
    assert bool(entry.bill_account_id) == (state is Side.OK)


def test_departments_by_short_name_then_by_name() -> None:
    """The short name decides; a department without one is found by its name; a template of '' wants none."""
    named = {"id": "0deX", "name": "30", "archived": False}
    entry = gl_map(departments=[named]).entry("00000001")
    assert entry is not None
    assert (entry.bill_department_id, entry.bill_department_state) == ("0deX", Side.OK)
    both = gl_map(departments=[named, bill_department("30")]).entry("00000001")
    assert both is not None
    assert both.bill_department_id == "0de30"
    none = gl_map(GlRules(department="")).entry("00000001")
    assert none is not None
    assert (none.department, none.bill_department_state) == ("", Side.UNUSED)


def test_the_most_exact_override_wins() -> None:
    """A line for one account beats a line for its object, which beats the template; blank answers fall through."""
    overrides = parse_overrides(
        [
            {"business_unit": "*", "object": "6110", "subsidiary": "*", "account_number": "7000", "department": ""},
            {"business_unit": "40", "object": "6110", "subsidiary": "", "account_number": "", "department": "HQ"},
        ]
    )
    mapped = gl_map(overrides=overrides)
    assert [(e.account_number, e.department) for e in (mapped.entries["00000001"], mapped.entries["00000003"])] == [
        ("7000", "30"),
        ("6110", "HQ"),
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"business_unit": "30", "object": "6110"}], "line 2: column account_number is missing"),
        ([{"business_unit": "30", "object": "6110", "account_number": ""}], "line 2: neither"),
        ([{"business_unit": "30", "object": "", "account_number": "1"}] * 2, "line 3: the key 30.*.* was given before"),
    ],
)
def test_mistakes_in_the_override_file_name_the_line(rows: list[dict[str, str]], says: str) -> None:
    """A missing column, an empty answer, a key given twice."""
    with pytest.raises(OverrideError, match=says.replace("*", r"\*")):
        parse_overrides(rows)


def test_missing_ones_are_created_once_and_only_when_allowed() -> None:
    """Three JDE accounts share one BILL account: it is created once, under the first one's name."""
    allowed = GlRules(create_accounts=True, create_departments=True)
    empty = gl_map(allowed, accounts=[], departments=[])
    accounts = empty.missing_accounts(["00000001", "00000003", "00000002", "unknown"])
    assert [(a.number, a.content) for a in accounts] == [
        ("6110", {"name": "6110 Cost 6110", "account": {"type": "EXPENSE", "number": "6110"}}),
        ("6120", {"name": "6120 Cost 6120", "account": {"type": "EXPENSE", "number": "6120"}}),
    ]
    assert [d.content for d in empty.missing_departments(["00000001", "00000003"])] == [
        {"name": "30 Unit 30", "shortName": "30"},
        {"name": "40 Unit 40", "shortName": "40"},
    ]
    assert "6000" not in {a.number for a in empty.missing_accounts()}  # a heading posts nothing
    assert gl_map(accounts=[]).missing_accounts() == []
    archived = gl_map(allowed, accounts=[bill_account("6110", archived=True)])
    assert "6110" not in {a.number for a in archived.missing_accounts()}


def test_a_plan_sees_what_would_be_created() -> None:
    """The planned map has placeholders for what may be created and leaves archived ones as they are."""
    planned = gl_map(
        GlRules(create_accounts=True), accounts=[], departments=[bill_department("30", archived=True)]
    ).planned()
    entry = planned.entries["00000001"]
    assert (entry.bill_account_id, entry.bill_account_state) == ("new:account:6110", Side.OK)
    assert entry.bill_department_state is Side.ARCHIVED


def test_accounts_are_found_by_id_or_by_parts() -> None:
    """A document may hold a short id or the parts; an id that does not exist is not replaced by parts."""
    mapped = gl_map()
    by_parts = mapped.resolve("", "30", "6120", "")
    assert by_parts is not None
    assert by_parts.aid == "00000002"
    assert by_parts.code == "30.6120"
    assert mapped.resolve("99999999", "30", "6120", "") is None
    assert mapped.resolve("", "30", "9999", "") is None

"""The gate of bills and vendors: one bad thing at a time, everything else good."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal as Amount
from typing import Any

import msgspec
import pytest

from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.documents import BillDraft, DraftContext, VendorTarget
from jdebill_pipelines.domain.gl_mapping import GlRules
from jdebill_pipelines.domain.suppliers import PostalAddress, vendor_content
from jdebill_pipelines.domain.verdicts import Failure, Verdict
from jdebill_pipelines.domain.vouchers import VoucherRules, build_voucher_drafts
from jdebill_pipelines.schemas import bill_lines
from jdebill_pipelines.schemas.gate import judge_bill_drafts, judge_vendors
from jdebill_pipelines.schemas.rules import SchemaMismatchError, failing_rows, frame_of
from jdebill_pipelines.schemas.systemic import ReferenceState, Tolerance, judge_systemic, reference_state
from jdebill_pipelines_tests.domain.cases import (
    bill_account,
    bill_department,
    context,
    gl_map,
    ledger,
    pay_item,
    reference,
    supplier,
)


def verdict(items: Any, lines: Any, ctx: DraftContext | None = None) -> Verdict:
    """The verdict on one voucher."""
    ctx = ctx or context()
    drafts = build_voucher_drafts(items, lines, ctx, VoucherRules())
    (found,) = judge_bill_drafts(drafts, reference(ctx))
    assert found.content_hash == drafts[0].content_hash
    return found


def rules(found: Verdict) -> list[str]:
    assert found.passed == (not found.failures)
    assert all(f.reason and f.fix for f in found.failures)
    assert "{" not in "".join(f.reason + f.fix for f in found.failures)
    return [f.rule for f in found.failures]


def test_a_good_voucher_passes() -> None:
    """Nothing wrong: the verdict passes for exactly the draft's content."""
    assert rules(verdict([pay_item("12345678901.23")], [ledger("12345678901.23")])) == []


@pytest.mark.parametrize(
    ("aid", "rule", "line"),
    [
        ("00000004", ["account_posts"], {}),
        ("00000005", ["subledger"], {}),
        ("00000005", [], {"SBL": "77", "SBLT": "A"}),
        ("00000009", ["subledger"], {"SBL": "77", "SBLT": "A"}),
        ("00000006", ["account_company"], {}),
        ("00000007", ["unit_open"], {}),
        ("00000008", ["account_currency"], {}),
        ("00000010", ["unit_exists"], {}),
        ("00000001", ["account_exists"], {"AID": "99999999"}),
        ("00000001", ["account_given"], {"AID": "", "MCU": "", "OBJ": ""}),
    ],
)
def test_every_rule_about_accounts(aid: str, rule: list[str], line: dict[str, Any]) -> None:
    """One bad line beside a good one: the failure names line, field, value, reason and fix."""
    amounts = [bill_account(n) for n in ("6000", "6110", "6120", "6130", "6140", "6150")]
    found = verdict(
        [pay_item("20")], [ledger("10"), ledger("10", aid, "2", **line)], context(gl=gl_map(accounts=amounts))
    )
    assert rules(found) == rule
    assert all(f.line == "JELN 2" for f in found.failures)


@pytest.mark.parametrize("code", ["B", "I", "M", "N", "U", "?"])
def test_every_code_that_does_not_post(code: str) -> None:
    """Budget, inactive, machine, non-posting, units and unknown codes are refused."""
    ctx = context()
    entry = msgspec.structs.replace(ctx.gl.entries["00000001"], posting_code=code)
    ctx = context(gl=msgspec.structs.replace(ctx.gl, entries={**ctx.gl.entries, "00000001": entry}))
    assert rules(verdict([pay_item("10")], [ledger("10")], ctx)) == ["account_posts"]


@pytest.mark.parametrize(
    ("changes", "rule", "says"),
    [
        ({"accounts": []}, "bill_account", "BILL account 6110 for JD Edwards account 30.6110 is missing."),
        ({"accounts": [bill_account("6110", archived=True)]}, "bill_account", "is archived."),
        ({"accounts": [bill_account("6110"), bill_account("6110", id_="0caT")]}, "bill_account", "is ambiguous."),
        ({"departments": []}, "bill_department", "BILL department 30 for business unit 30 is missing."),
        ({"departments": [bill_department("30", archived=True)]}, "bill_department", "is archived."),
    ],
)
def test_every_state_of_the_bill_side(changes: dict[str, Any], rule: str, says: str) -> None:
    """Missing, archived and ambiguous classifications hold the bill."""
    found = verdict([pay_item("10")], [ledger("10")], context(gl=gl_map(**changes)))
    assert rules(found) == [rule]
    assert found.failures[0].reason.endswith(says)


def test_no_department_is_right_when_the_connection_writes_none() -> None:
    """An empty department template: no department is demanded and none is sent."""
    ctx = context(gl=gl_map(GlRules(department=""), departments=[]))
    assert rules(verdict([pay_item("10")], [ledger("10")], ctx)) == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"suppliers": {"4242": supplier(hold_code="Y")}}, ["supplier_hold"]),
        ({"suppliers": {"4242": supplier(inactive=True, search_type="VX")}}, ["supplier_active"]),
        ({"suppliers": {}}, ["supplier_exists"]),
        ({"vendors": {}}, ["vendor"]),
        ({"vendors": {}, "suppliers": {"4242": supplier(hold_code="Y")}}, ["supplier_hold"]),
        ({"vendors": {"4242": VendorTarget("00901A", "EUR")}}, ["vendor_currency"]),
        ({"vendors": {"4242": VendorTarget("00901A", "")}}, []),
    ],
)
def test_every_rule_about_suppliers(changes: dict[str, Any], rule: list[str]) -> None:
    """On hold, inactive, unknown, no vendor, another currency; a missing vendor is not told beside its cause."""
    assert rules(verdict([pay_item("10")], [ledger("10")], context(**changes))) == rule


def test_a_hold_on_the_supplier_behind_a_payee() -> None:
    """The factor is paid for the supplier; the supplier is on hold: nothing goes out."""
    ctx = context(suppliers={"4242": supplier(hold_code="Y"), "4343": supplier("4343")})
    ctx = msgspec.structs.replace(ctx, vendors={"4343": VendorTarget("00901B", "USD")})
    assert rules(verdict([pay_item("10", PYE="4343")], [ledger("10")], ctx)) == ["supplier_hold"]


def test_the_suppliers_own_problems_are_the_reasons() -> None:
    """A supplier without address: its bill is held for exactly that."""
    problem = Failure("", "F0116", "", "The supplier has no address.", "Enter an address.", "address")
    ctx = context(suppliers={"4242": supplier(problems=(problem,))}, vendors={})
    assert verdict([pay_item("10")], [ledger("10")], ctx).failures == (problem,)


def test_what_the_rules_hold_never_passes() -> None:
    """A distribution that is a cent off: held, and the verdict tells that and nothing beside it."""
    assert rules(verdict([pay_item("10.01")], [ledger("10")])) == ["distribution"]


def test_a_held_draft_without_problems_does_not_pass_either() -> None:
    """Somebody else held it and gave a reason: that is the verdict."""
    ctx = context()
    (draft,) = build_voucher_drafts([pay_item("10")], [ledger("10")], ctx, VoucherRules())
    held = msgspec.structs.replace(draft, status="held", reason="Its bill was archived in BILL.")
    (found,) = judge_bill_drafts([held], reference(ctx))
    assert rules(found) == ["held"]
    assert found.failures[0].reason == "Its bill was archived in BILL."


TAMPERED: list[tuple[Callable[[BillDraft], dict[str, Any]], list[str]]] = [
    (lambda d: {"amount": Amount(9)}, ["lines_total", "document_total"]),
    (lambda d: {"document_amount": Amount(9)}, ["document_total"]),
    (lambda d: {"amount": Amount("10.005"), "document_amount": Amount("10.005")}, ["decimals", "lines_total"]),
    (lambda d: {"amount": Amount(0), "document_amount": Amount(0), "lines": ()}, ["positive"]),
    (lambda d: {"invoice_number": "x" * 22}, ["invoice_number"]),
    (lambda d: {"invoice_number": " "}, ["invoice_number"]),
    (lambda d: {"description": "x" * 4001}, ["description"]),
    (lambda d: {"due_date": None}, ["due_date"]),
    (lambda d: {"invoice_date": None}, ["invoice_date"]),
    (lambda d: {"currency": "QQQ", "vendor_currency": "QQQ"}, ["currency_known"]),
    (lambda d: {"lines": (msgspec.structs.replace(d.lines[0], bill_account_id="0caOTHER"),)}, ["tags_current"]),
    (lambda d: {"lines": (msgspec.structs.replace(d.lines[0], bill_department_id=""),)}, ["tags_current"]),
    (
        lambda d: {"lines": (msgspec.structs.replace(d.lines[0], amount=Amount("10.001")),)},
        ["lines_total", "line_amount"],
    ),
]


@pytest.mark.parametrize(("change", "rule"), TAMPERED)
def test_the_gate_does_not_trust_the_drafts(change: Callable[[BillDraft], dict[str, Any]], rule: list[str]) -> None:
    """Whatever is wrong in a draft itself is found although the rules that made it would not make it so."""
    ctx = context()
    (draft,) = build_voucher_drafts([pay_item("10")], [ledger("10")], ctx, VoucherRules())
    (found,) = judge_bill_drafts([msgspec.structs.replace(draft, **change(draft))], reference(ctx))
    assert rules(found) == rule


def test_a_float_never_passes() -> None:
    """0.1 + 0.2 as a float in a line: no verdict at all, the content cannot even be hashed."""
    ctx = context()
    (draft,) = build_voucher_drafts([pay_item("0.3")], [ledger("0.3")], ctx, VoucherRules())
    line = msgspec.structs.replace(draft.lines[0], amount=0.1 + 0.2)
    with pytest.raises(TypeError):
        judge_bill_drafts([msgspec.structs.replace(draft, lines=(line,))], reference(ctx))
    line = msgspec.structs.replace(draft.lines[0], amount=Amount("0.1") + Amount("0.2"))
    (found,) = judge_bill_drafts([msgspec.structs.replace(draft, lines=(line,))], reference(ctx))
    assert found.passed


def test_documents_that_are_not_due_get_no_verdict_and_nothing_is_fine() -> None:
    """A paid voucher is not judged; no drafts at all give no verdicts."""
    ctx = context()
    drafts = build_voucher_drafts([pay_item("10", "0", PST="P")], [ledger("10")], ctx, VoucherRules())
    assert judge_bill_drafts(drafts, reference(ctx)) == []
    assert judge_bill_drafts([], reference(ctx)) == []


def test_many_lines_are_judged_quickly_each_with_its_own_failures() -> None:
    """16,000 lines of 4,000 vouchers, every eighth with a bad account: under 2 s, all found, none invented."""
    items, lines = [], []
    for n in range(1, 4001):
        items.append(pay_item("40", DOC=str(n), VINV=f"I{n}"))
        aid = "00000004" if n % 8 == 0 else "00000001"
        lines += [ledger("10", aid if k == 3 else "00000001", str(k), DOC=str(n)) for k in range(1, 5)]
    accounts = [bill_account(a) for a in ("6000", "6110")]
    ctx = context(gl=gl_map(accounts=accounts))
    drafts = build_voucher_drafts(items, lines, ctx, VoucherRules())
    started = time.process_time()
    verdicts = judge_bill_drafts(drafts, reference(ctx))
    assert time.process_time() - started < 2
    failing = {v.natural_key: [(f.line, f.rule) for f in v.failures] for v in verdicts if not v.passed}
    assert failing == {f"00001-PV-{n}": [("JELN 3", "account_posts")] for n in range(8, 4001, 8)}


def test_a_frame_of_another_shape_is_a_defect() -> None:
    """Missing columns are not somebody's bad data: an error that stops everything."""
    frame = frame_of(("account",), [("x",)])
    with pytest.raises(SchemaMismatchError):
        failing_rows(frame, bill_lines._SCHEMA, bill_lines.RULES)


def test_vendors_are_judged_too() -> None:
    """A complete supplier passes for its content; an incomplete one and a bad payload do not."""
    good, lacking = (
        supplier(),
        supplier("2", problems=(Failure("", "F0116", "", "No address.", "Enter one.", "address"),)),
    )
    foreign = PostalAddress("1 Rue X", "", "Paris", "", " ", "FRA", "FRA")
    bad = supplier("3", name="x" * 101, currency="QQQ", address=foreign)
    found = judge_vendors([good, lacking, bad])
    assert [v.passed for v in found] == [True, False, False]
    assert found[0].content_hash == content_hash("vendor", vendor_content(good))
    assert [f.rule for f in found[1].failures] == ["address"]
    assert [f.rule for f in found[2].failures] == [
        "vendor_name",
        "vendor_zip",
        "vendor_country",
        "vendor_currency_known",
    ]


def test_reference_data_tells_what_is_missing() -> None:
    """A column that is blank in every row was taken away by column security; an empty table has no columns to miss."""
    rows = [{"AID": "1", "CO": "", "MCU": "30", "OBJ": "6110"}, {"AID": "2", "CO": "", "MCU": "30", "OBJ": ""}]
    state = reference_state("F0901", rows, NOW)
    assert (state.rows, state.missing_columns, state.extracted_at) == (2, ("CO",), NOW)
    assert reference_state("F0901", [], None).missing_columns == ()
    assert reference_state("F0013", [], NOW).may_be_empty
    with pytest.raises(KeyError):
        reference_state("F9999", [], NOW)


NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
FRESH = ReferenceState("F0901 (accounts)", 100, NOW - timedelta(hours=1))


def systemic(
    invalid: int = 0, of: int = 10, states: Any = (FRESH,), gate: Any = "quarantine", **kwargs: Any
) -> list[str]:
    failure = Failure("", "", "", "Bad.", "Fix.", "bad")
    verdicts = [Verdict("bill", str(n), "h", n >= invalid, (failure,) if n < invalid else ()) for n in range(of)]
    tolerance = Tolerance(gate=gate, max_invalid_ratio=Amount("0.25"))
    decision = judge_systemic(verdicts, states, tolerance, now=NOW, **kwargs)
    assert decision.is_open == (not decision.reasons)
    return list(decision.reasons)


def test_what_closes_the_gate_of_a_month() -> None:
    """Invalid ratio, strictness, empty, stale, misshapen and unread reference data, mass disappearance."""
    assert systemic() == []
    assert systemic(of=0) == []
    assert systemic(20, 80) == []
    assert "21 of 80 documents are invalid" in systemic(21, 80)[0]
    assert systemic(3, 8) == [], "a share of a handful says nothing about the data as a whole"
    assert "strict" in systemic(1, 100, gate="strict")[0]
    assert "empty" in systemic(states=[msgspec.structs.replace(FRESH, rows=0)])[0]
    assert systemic(states=[msgspec.structs.replace(FRESH, rows=0, may_be_empty=True)]) == []
    assert "longer ago" in systemic(states=[msgspec.structs.replace(FRESH, extracted_at=NOW - timedelta(days=2))])[0]
    assert "never been read" in systemic(states=[msgspec.structs.replace(FRESH, extracted_at=None)])[0]
    assert "came without PEC" in systemic(states=[msgspec.structs.replace(FRESH, missing_columns=("PEC",))])[0]
    assert "have disappeared" in systemic(disappeared=30, known=100)[0]
    assert systemic(disappeared=25, known=100) == []
    assert systemic(disappeared=5, known=5) == []

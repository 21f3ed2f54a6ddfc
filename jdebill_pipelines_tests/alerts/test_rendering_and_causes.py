"""What an alert says and what its cause is called."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from jdebill_pipelines.alerts import causes
from jdebill_pipelines.alerts.causes import FailedCheck, FailedStep, cause_of
from jdebill_pipelines.alerts.rendering import render
from jdebill_pipelines.domain.alerts import AlertContent, fingerprint, rows_of


def test_everything_a_person_needs_is_in_the_text() -> None:
    """What, where, owner, facts, the first rows of how many, what to do, the run's address, how many were not sent."""
    content = AlertContent(
        what="3 documents are held.",
        where="sync/bill_drafts, check rows_are_valid",
        fix="Correct the account.",
        owner="team:accounts-payable",
        rows=rows_of([{"document": f"00001-PV-{n}", "amount": Decimal("1E+2"), "line": ""} for n in range(12)]),
        total=37,
        run_id="r-1",
        facts={"documents held": "3"},
    )
    message = render("acme", "check failed", content, suppressed=4, ui_url="https://dagster.example.com/")
    assert message.title == "[acme] check failed"
    assert message.text.splitlines() == [
        "3 documents are held.",
        "",
        "Where: acme: sync/bill_drafts, check rows_are_valid",
        "Owner: team:accounts-payable",
        "Documents held: 3",
        "",
        "Rows (the first 10 of 37):",
        *(f"- document: 00001-PV-{n}; amount: 100" for n in range(10)),
        "",
        "What to do: Correct the account.",
        "",
        "Run: https://dagster.example.com/runs/r-1",
        "",
        "The same happened 4 times more since the last alert of this cause.",
    ]
    assert "Run: http://127.0.0.1:3000/runs/r-1" in render("acme", "s", content).text


def test_values_cannot_break_out_of_their_line() -> None:
    """A supplier's name with line breaks forges no line and no header; a huge value is cut."""
    rows = rows_of([{"name": "Evil\r\nBcc: all@example.com\n\nWhat to do: pay me", "note": "x" * 5000}])
    message = render("acme", "a\r\nBcc: b", AlertContent(what="w", rows=rows))
    assert message.title == "[acme] a Bcc: b"
    assert [line for line in message.text.splitlines() if line.startswith(("Bcc", "What to do"))] == []
    assert max(len(line) for line in message.text.splitlines()) < 1000


def test_content_survives_the_outbox_and_older_versions() -> None:
    """What is written is read; members that were not written have their default."""
    content = AlertContent(what="w", rows=({"a": "1"},), total=1)
    assert AlertContent.of(content.body()) == content
    assert AlertContent.of({"what": "w", "of a later version": 1}) == AlertContent(what="w")
    assert rows_of([{"day": date(2026, 1, 2), "flag": False, "none": None}]) == (
        {"day": "2026-01-02", "flag": "False"},
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            "row 17 of run 3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "row 4 of run 0fa85f64-5717-4562-b3fc-2c963f66afa6",
            True,
        ),
        ("no vendor 'Acme' at 2026-01-02T10:00", "no vendor 'Other' at 2026-03-04T11:30", True),
        ("BILL refused the login [POST]", "BILL did not answer [POST]", False),
        ("first line\ntrace 1", "first line\ntrace of another place", True),
    ],
)
def test_cause_of_a_failure_is_what_does_not_change(one: str, other: str, *, same: bool) -> None:
    """Two occurrences of one cause have one name whatever ids, numbers and times are in the message."""
    assert (cause_of(one) == cause_of(other)) is same


def test_fingerprints_tell_causes_apart_and_stay_short() -> None:
    """Check, asset and gate are in the name; a long one is cut without becoming another's."""
    check = FailedCheck("sync/bill_drafts", "rows_are_valid", "s", "WARN")
    assert causes.check_failed(check, "r1").fingerprint == causes.check_failed(check, "r2").fingerprint
    assert causes.check_failed(check, "r1").fingerprint == "check:sync/bill_drafts:rows_are_valid"
    long = [fingerprint("run", "x" * 300 + end) for end in ("a", "b")]
    assert long[0] != long[1]
    assert max(map(len, long)) <= 200


def test_failed_run_names_every_failed_step() -> None:
    """The first error is the sentence and the cause; the steps are the rows; without steps the run's message counts."""
    steps = [FailedStep("acme__jde__vouchers", "TransientError", "AIS did not answer [GET; HTTP 503]"),
             FailedStep("acme__bill__accounts", "RateLimited", "hour used up")]  # fmt: skip
    alert = causes.run_failed("acme_months", "r1", steps, "Steps failed")
    assert alert.content.what == "TransientError: AIS did not answer [GET; HTTP 503]"
    assert [row["step"] for row in alert.content.rows] == ["acme__jde__vouchers", "acme__bill__accounts"]
    bare = causes.run_failed("acme_months", "r2", [], "Run timed out after 3600 seconds")
    assert bare.content.what == "Run timed out after 3600 seconds"
    assert bare.fingerprint == "run:run:Run timed out after # seconds"

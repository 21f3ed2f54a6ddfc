"""Reading BILL's refusals: every shape of a body, and what each code means."""

from __future__ import annotations

import json

import pytest

from jdebill_pipelines.bill.problems import Kind, read_refusal

ELEMENT = {
    "timestamp": "2026-05-04T15:20:11.417+00:00",
    "code": "BDC_1171",
    "severity": "ERROR",
    "category": "DOWNSTREAM",
    "message": "Invoice number exists",
    "params": {"number": "INV-1"},
}


@pytest.mark.parametrize(
    "body",
    [
        [ELEMENT],
        ELEMENT,
        {"errors": [ELEMENT]},
        {"error": ELEMENT},
        [{**ELEMENT, "params": [{"name": "number", "value": "INV-1"}]}],
        [ELEMENT, {**ELEMENT, "code": "BDC_1246", "message": "rolled back"}],
        [{**ELEMENT, "code": "BDC_1246", "message": "rolled back"}, ELEMENT, ELEMENT],
    ],
    ids=["array", "object", "errors", "error", "params as a list", "with a sibling", "sibling first, said twice"],
)
def test_every_shape_of_an_error_body_says_the_same(body: object) -> None:
    """Array, object and wrapped bodies give the code that tells something, its words and its parameters."""
    refusal = read_refusal(422, json.dumps(body).encode())
    assert (refusal.kind, refusal.code, refusal.html) == (Kind.DUPLICATE, "BDC_1171", False)
    assert "BDC_1171: Invoice number exists" in refusal.summary
    assert refusal.summary.count("Invoice number exists") == 1
    (problem,) = [p for p in refusal.problems if p.code == "BDC_1171"]
    assert problem.params == {"number": "INV-1"}


def test_null_codes_and_templates_are_kept() -> None:
    """Request validation has no code, and BILL's words may have templates that were not filled in."""
    body = [{**ELEMENT, "code": None, "message": "${paramName0} must not be blank", "params": {}}]
    refusal = read_refusal(400, json.dumps(body).encode())
    assert (refusal.kind, refusal.code, refusal.summary) == (Kind.REFUSED, None, "${paramName0} must not be blank")


@pytest.mark.parametrize(
    ("body", "html", "summary"),
    [
        (b"", False, "empty body"),
        (b"upstream connect error", True, "upstream connect error"),
        (
            b"<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title></head><body>gw-07</body></html>",
            True,
            "no answer of BILL but a page, '502 Bad Gateway'",
        ),
    ],
)
def test_what_is_no_json_is_a_failure_of_the_other_side(body: bytes, html: bool, summary: str) -> None:
    """A gateway's page or an empty body with 5xx: the server's fault, told in one short line."""
    refusal = read_refusal(502, body)
    assert (refusal.kind, refusal.problems, refusal.html, refusal.summary) == (Kind.SERVER, (), html, summary)


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (401, "BDC_1109", "Session is invalid.  Please log in.", Kind.SESSION),
        (400, "BDC_1109", "Session is invalid.  Please log in.", Kind.SESSION),
        (401, None, "", Kind.SESSION),
        (403, "BDC_1361", "untrusted session", Kind.UNTRUSTED),
        (401, "BDC_1361", "session required", Kind.SESSION),
        (429, "BDC_1322", "concurrency", Kind.CONCURRENCY),
        (400, "BDC_1322", "concurrency", Kind.CONCURRENCY),
        (503, "BDC_1144", "hour", Kind.HOURLY),
        (429, None, "slow down", Kind.THROTTLED),
        (401, "BDC_1101", "mismatch", Kind.LOGIN),
        (423, "BDC_1107", "locked out", Kind.LOGIN),
        (403, "BDC_1145", "role", Kind.PERMISSION),
        (403, None, "forbidden", Kind.PERMISSION),
        (404, None, "", Kind.NOT_FOUND),
        (400, "BDC_1205", "no such id", Kind.NOT_FOUND),
        (500, "BDC_1001", "system", Kind.SERVER),
        (422, "BDC_1002", "unknown", Kind.SERVER),
        (408, None, "", Kind.SERVER),
        (422, "BDC_1171", "exists", Kind.DUPLICATE),
        (422, "BDC_1151", "bad data", Kind.REFUSED),
    ],
)
def test_the_code_counts_before_the_status(status: int, code: str | None, message: str, kind: Kind) -> None:
    """BILL does not document the status of its limits: the code says what it is, whatever the status."""
    assert read_refusal(status, json.dumps([{**ELEMENT, "code": code, "message": message}]).encode()).kind is kind

"""Orchestrations over real sockets: what is sent, what each answer means, what is never sent twice."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import pytest

from jdebill_pipelines.jde.messages import Severity
from jdebill_pipelines.jde.results import OrchestrationFailed, Outcome
from jdebill_pipelines.transport.errors import (
    ApiError,
    AuthenticationError,
    NotFound,
    PermanentError,
    Refused,
    TransientError,
    UnknownOutcome,
)
from jdebill_pipelines_tests.jde.fake_ais import ISO_STAMP, FakeAis, error
from jdebill_pipelines_tests.transport.wire import Reply, html

NAME = "JDEBILL AP VOUCHER"
INPUTS = {
    "Supplier Number": 4242,
    "Invoice Date": dt.date(2026, 11, 22),
    "Gross Amount": Decimal("1834.50"),
    "Lines": [{"Account": "30.6110", "Amount": Decimal("1E+3")}, {"Account": "30.6120", "Amount": Decimal("834.50")}],
}
DONE = {
    "Document Number": 720145,
    "Document Type": "PV",
    "Batch Number": "55031",
    "GL Date": "2026-11-22",
    "Amount": Decimal("1834.50"),
    "jde__status": "SUCCESS",
    "jde__startTimestamp": ISO_STAMP,
    "jde__serverExecutionSeconds": Decimal("2.41"),
}
FORM_ERROR = {
    "CODE": "0052",
    "TITLE": "Error: Business Unit Invalid",
    "ERRORCONTROL": "113",
    "DESC": "CAUSE",
    "MOBILE": "false",
}
WARNING = {"CODE": "9001", "TITLE": "Warning: Remark is long", "ERRORCONTROL": "26", "DESC": "CAUSE", "MOBILE": "false"}
FAILED = {
    "message": {
        "ServiceRequest: Create Voucher": {
            "App Stack Form Exception": {"x": "y"},
            "JAS Response": {"fs_P0411_W0411A": {"errors": [FORM_ERROR], "warnings": [WARNING]}},
        }
    },
    "exception": "Exception",
    "timeStamp": ISO_STAMP,
    "userDefinedErrorText": "",
    "status": "ERROR",
    "exceptionId": "0b5c",
    "jde__simpleMessage": "Create Voucher failed:\nBusiness Unit Invalid",
    "jde__status": "ERROR",
}


def answer(ais: FakeAis, body: Any, status: int = 200, **more: Any) -> None:
    from jdebill_pipelines_tests.jde.fake_ais import dumps

    reply = Reply(status, body if isinstance(body, bytes) else dumps(body), **more)
    ais.orchestrations[NAME] = lambda _: reply


def calls(ais: FakeAis) -> int:
    return len([r for r in ais.wire.requests if "/orchestrator/" in r.path])


def test_inputs_are_plain_json_with_exact_numbers(ais: FakeAis) -> None:
    """The name is URL-encoded, decimals are numbers digit by digit, dates ISO; floats are refused beforehand."""
    answer(ais, DONE)
    client = ais.client()
    result = client.orchestrate(NAME, INPUTS)
    (request,) = [r for r in ais.wire.requests if "/orchestrator/" in r.path]
    assert request.target == "/jderest/v3/orchestrator/JDEBILL%20AP%20VOUCHER"
    assert request.body == (
        b'{"Supplier Number":4242,"Invoice Date":"2026-11-22","Gross Amount":1834.50,'
        b'"Lines":[{"Account":"30.6110","Amount":1000},{"Account":"30.6120","Amount":834.50}]}'
    )
    assert request.headers["content-type"] == "application/json"
    assert (result.status, result.text("document number")) == ("SUCCESS", "720145")
    assert result.number("Batch_Number") == 55031
    assert result.number("Amount") == Decimal("1834.50")
    assert result.date("GL Date") == dt.date(2026, 11, 22)
    assert result.seconds == Decimal("2.41")
    assert result.digest == hashlib.sha256(result.raw).hexdigest()
    assert set(result.outputs) == {"Document Number", "Document Type", "Batch Number", "GL Date", "Amount"}
    with pytest.raises(TypeError, match=r"Lines\[0\]\.Amount is a float"):
        client.orchestrate(NAME, {"Lines": [{"Amount": 1.1}]})
    assert calls(ais) == 1


def test_three_date_styles_in_outputs(ais: FakeAis) -> None:
    """Typed ISO, raw grid, and text in the user's format."""
    for text in ("2026-03-04", "20260304", "04/03/2026"):
        answer(ais, {"GL Date": text, "jde__status": "SUCCESS"})
        assert ais.client().orchestrate(NAME, {}).date("GL Date") == dt.date(2026, 3, 4)


def test_warn_is_a_success_with_something_to_read(ais: FakeAis) -> None:
    """Form warnings and a continued step come with the outputs."""
    answer(
        ais,
        {
            "Document Number": 720146,
            "Errors/Warnings": [{"Application ID": "P0411_W0411A", "Title": "t", "Errors": [], "Warnings": [WARNING]}],
            "continuedOnError": [{"step": "Attach PDF", "message": "no file", "userDefinedErrorText": ""}],
            "jde__status": "WARN",
            "jde__simpleMessage": "…",
        },
    )
    result = ais.client().orchestrate(NAME, {}, expects=["Document Number"])
    assert result.status == "WARN"
    warning, continued = result.warnings
    assert (warning.severity, warning.code, warning.title, warning.where) == (
        Severity.WARNING, "9001", "Remark is long", "P0411_W0411A",
    )  # fmt: skip
    assert (continued.severity, continued.where, continued.title) == (Severity.CONTINUED, "Attach PDF", "no file")
    assert set(result.outputs) == {"Document Number"}


def test_error_says_what_jde_said_and_that_it_proves_nothing(ais: FakeAis) -> None:
    """500 with jde__status ERROR: the message nested in objects, and no second call."""
    answer(ais, FAILED, 500)
    with pytest.raises(OrchestrationFailed) as caught:
        ais.client().orchestrate(NAME, {})
    failed = caught.value
    assert failed.outcome is Outcome.REFUSED_MAYBE_PARTIAL
    assert failed.maybe_partial
    assert (failed.code, failed.request_id, failed.status) == ("0052", "0b5c", 500)
    assert "Create Voucher failed: Business Unit Invalid" in str(failed)
    assert [(m.severity, m.code, m.title, m.where) for m in failed.messages] == [
        (Severity.ERROR, "0052", "Business Unit Invalid", "P0411_W0411A"),
        (Severity.WARNING, "9001", "Remark is long", "P0411_W0411A"),
    ]
    assert isinstance(failed, Refused)
    assert not failed.not_executed
    assert calls(ais) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"message": "Sub failed", "exception": "Exception", "status": "ERROR"}, 500, "Sub failed"),
        ({"message": {"message": {"ServiceRequest: A": "Account invalid"}}, "exception": "E"}, 500, "Account invalid"),
        ({"message": "x", "exception": "NullPointerException"}, 200, "x"),
        ({"Document Number": 7, "jde__status": "ERROR", "jde__simpleMessage": "stopped"}, 200, "stopped"),
        ({"forms": [{"fs_P0411_W0411A": {"errors": [FORM_ERROR]}, "sysErrors": []}]}, 200, "Business Unit Invalid"),
        ({"forms": [{"fs_P0411_W0411A": {"errors": []}, "sysErrors": [{"TITLE": "JAS down"}]}]}, 200, "JAS down"),
        (
            {"Errors/Warnings": [{"Application ID": "P0411", "Errors": [FORM_ERROR]}], "jde__status": "WARN"},
            200,
            "0052",
        ),
        (
            {"step": {"fs_P0911_W0911A": {"errors": [FORM_ERROR]}}, "jde__status": "SUCCESS"},
            200,
            "Business Unit Invalid",
        ),
    ],
    ids=[
        "old 500",
        "nested",
        "200 exception",
        "200 ERROR",
        "200 form",
        "200 system",
        "200 WARN errors",
        "200 SUCCESS errors",
    ],
)
def test_failures_in_every_dress(ais: FakeAis, body: Any, status: int, words: str) -> None:
    """HTTP status alone is not success; old servers have no jde__status."""
    answer(ais, body, status)
    with pytest.raises(OrchestrationFailed, match=words) as caught:
        ais.client().orchestrate(NAME, {})
    assert caught.value.outcome is Outcome.REFUSED_MAYBE_PARTIAL
    assert calls(ais) == 1


def test_expected_outputs_decide_where_jde_is_of_two_minds(ais: FakeAis) -> None:
    """Form errors and a document number: done, with a warning. Success and no number: nobody knows."""
    answer(ais, {"Document Number": "720145", "x": {"errors": [FORM_ERROR]}, "jde__status": "WARN"})
    result = ais.client().orchestrate(NAME, {}, expects=["Document Number"])
    assert (result.status, [m.severity for m in result.warnings]) == ("WARN", [Severity.ERROR])
    for blank in ("", " ", 0, "0", None):
        answer(ais, {"Document Number": blank, "jde__status": "SUCCESS"})
        with pytest.raises(UnknownOutcome, match="lacks Document Number"):
            ais.client().orchestrate(NAME, {}, expects=["Document Number"])
    answer(ais, {"Document Number": "", "x": {"errors": [FORM_ERROR]}, "jde__status": "WARN"})
    with pytest.raises(OrchestrationFailed):
        ais.client().orchestrate(NAME, {}, expects=["Document Number"])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(fault="reset"),
        Reply(fault="hang"),
        Reply(200, DONE | {"Amount": 1, "jde__serverExecutionSeconds": 1}, fault="cut"),
        html(500),
        html(502),
        html(503),
        Reply(504, {"message": "Endpoint request timed out"}),
        Reply(500, {"error": "upstream"}),
        Reply(500, b""),
        html(200, "Sign in"),
        Reply(200, b"[1]"),
        Reply(200, b'{"Document Number": 72'),
    ],
    ids=[
        "reset",
        "time-out",
        "cut",
        "500 HTML",
        "502",
        "503",
        "504",
        "500 other",
        "500 empty",
        "200 HTML",
        "list",
        "broken",
    ],
)
def test_when_nobody_knows_it_is_never_sent_again(ais: FakeAis, reply: Reply) -> None:
    """The request left; its answer does not tell: one call, UnknownOutcome, and what to do."""
    ais.orchestrations[NAME] = lambda _: reply
    with pytest.raises(UnknownOutcome, match="look"):
        ais.client(orchestration_timeout=0.3).orchestrate(NAME, {"Remark": "secret-remark"})
    assert calls(ais) == 1


def test_an_expired_token_before_execution_is_safe_to_repeat(ais: FakeAis) -> None:
    """444: nothing ran; one login, one more call. 444 again: final."""
    answer(ais, DONE)
    client = ais.client()
    client.login()
    ais.tokens.clear()
    assert client.orchestrate(NAME, {}).status == "SUCCESS"
    assert (ais.logins, calls(ais)) == (2, 2)
    ais.fail(NAME.replace(" ", "%20"), error(444, "Invalid Token"), times=5)
    with pytest.raises(AuthenticationError) as caught:
        client.orchestrate(NAME, {})
    assert caught.value.not_executed
    assert calls(ais) == 4


def test_a_server_that_is_not_there_is_tried_again(ais: FakeAis) -> None:
    """The connection never stood: certain that nothing was executed, so a write too is repeated."""
    client = ais.client()
    client.login()
    ais.wire.stop()
    waits: list[float] = []
    client._session.sleep = waits.append
    with pytest.raises(TransientError) as caught:
        client.orchestrate(NAME, {})
    assert caught.value.not_executed
    assert len(waits) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, OrchestrationFailed), (403, AuthenticationError), (406, OrchestrationFailed), (415, Refused)],
)
def test_refused_before_it_ran(ais: FakeAis, status: int, kind: type[ApiError]) -> None:
    """Proof that nothing was written; made once."""
    answer(ais, {"message": "no"}, status)
    now = [1_000_000.0]
    client = ais.client(clock=lambda: now[0])
    client.login()
    now[0] += 3600  # also with an old token: a 403 may come from inside a step
    with pytest.raises(kind) as caught:
        client.orchestrate(NAME, {})
    assert caught.value.not_executed
    if isinstance(caught.value, OrchestrationFailed):
        assert caught.value.outcome is Outcome.REFUSED
    assert (ais.logins, calls(ais)) == (1, 1)


def test_older_paths_are_tried_only_when_the_newer_do_not_exist(ais: FakeAis) -> None:
    """404 on /v3 and /v2, then /orchestrator, which is remembered; an unknown name says what to ask the CNC for."""
    with pytest.raises(NotFound, match="UDO view security"):
        ais.client().orchestrate("NO_SUCH", {})
    assert [r.path for r in ais.wire.requests if "/orchestrator/" in r.path] == [
        "/jderest/v3/orchestrator/NO_SUCH",
        "/jderest/v2/orchestrator/NO_SUCH",
        "/jderest/orchestrator/NO_SUCH",
    ]
    ais.fail("/jderest/orchestrator/OLD", Reply(200, {"Document Number": 1}), times=2)
    client = ais.client()
    assert client.orchestrate("OLD", {}).status == "SUCCESS"
    assert client.orchestrate("OLD", {}).status == "SUCCESS"
    assert [r.path for r in ais.wire.requests if r.path.endswith("/OLD")] == [
        "/jderest/v3/orchestrator/OLD",
        "/jderest/v2/orchestrator/OLD",
        "/jderest/orchestrator/OLD",
        "/jderest/orchestrator/OLD",
    ]


def test_secrets_in_answers_stay_out_of_errors(ais: FakeAis) -> None:
    """AIS repeats credentials of connectors in error bodies."""
    token = "044k+1/Qx==MDE5"
    answer(
        ais,
        {"message": f"call failed: token={token}", "exception": "E", "password": "hunter2-hunter2", "token": token},
        500,
    )
    with pytest.raises(OrchestrationFailed) as caught:
        ais.client().orchestrate(NAME, {})
    shown = str(caught.value) + caught.value.body + repr(caught.value.__dict__["fix"])
    assert token not in shown
    assert "hunter2" not in shown


def test_lone_permanent_errors_are_not_orchestration_failures(ais: FakeAis) -> None:
    """A login that is refused while a write is due is no statement about the write."""
    client = ais.client(password="wrong-password")
    with pytest.raises(PermanentError) as caught:
        client.orchestrate(NAME, {})
    assert not isinstance(caught.value, OrchestrationFailed)
    assert calls(ais) == 0

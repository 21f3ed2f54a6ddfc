"""Faults of orchestrations: answers that say one thing while another was done.

Belongs here: the bodies. Not here: faults of any request (``ordered_faults``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jdebill_pipelines.sandbox.ais.answers import Answer, iso_stamp
from jdebill_pipelines.sandbox.ais.books.messages import FormError, FormMessage
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.orchestration_specs import SPECS, VOUCHER, Spec
from jdebill_pipelines.sandbox.ais.orchestrator import failed
from jdebill_pipelines.sandbox.ais.request import Request
from jdebill_pipelines.sandbox.ais.world import AisWorld

Options = dict[str, Any]

INSTEAD = (
    "orchestration_error",  # code, title, message (nested, sub, string): aborted before anything was written
    "exception_200",  # HTTP 200 with an exception member; nothing was written
    "errors_200",  # HTTP 200 with form errors in a raw step result; nothing was written
)
AFTERWARDS = (
    "error_after_commit",  # as orchestration_error, but a step before had written already
    "warn",  # code, title: done, with a warning
    "continued_on_error",  # step, title: done, but a later step failed and was passed over
)


def instead(world: AisWorld, request: Request, kind: str, options: Options) -> Answer:
    """The answer of an orchestration that is not run."""
    spec = _spec(request)
    message = _message(options)
    if kind == "exception_200":
        return Answer({"exception": "Exception", "message": message.title, "timeStamp": iso_stamp(world.clock.now())})
    if kind == "errors_200":
        form = {"title": spec.title, "data": {}, "errors": [message.shown("Error")], "warnings": []}
        body: Json = {"forms": [{f"fs_{spec.form}": form, "currentApp": spec.form, "sysErrors": []}]}
        return Answer(body if world.switches.old_tools else {**body, "jde__status": "WARN"})
    return _error(world, spec, options)


def afterwards(world: AisWorld, request: Request, kind: str, options: Options) -> Callable[[Answer], Answer]:
    """What is made of the answer of an orchestration that has been run."""
    spec = _spec(request)
    message = _message(options)

    def change(answer: Answer) -> Answer:
        if answer.status != 200 or not isinstance(answer.body, dict):
            return answer
        if kind == "error_after_commit":
            return _error(world, spec, options)
        body = dict(answer.body)
        if kind == "warn":
            block = {
                "Application ID": spec.form,
                "Title": spec.title,
                "Errors": [],
                "Warnings": [message.shown("Warning")],
            }
            body["Errors/Warnings"] = [*body.get("Errors/Warnings", []), block]
        else:
            body["continuedOnError"] = [
                {"step": str(options.get("step", "Attach PDF")), "message": message.title, "userDefinedErrorText": "",
                 "timeStamp": iso_stamp(world.clock.now()), "type": "connector"}
            ]  # fmt: skip
        if not world.switches.old_tools:
            body |= {"jde__status": "WARN", "jde__simpleMessage": message.title}
        return Answer(body)

    return change


def _error(world: AisWorld, spec: Spec, options: Options) -> Answer:
    body = failed(world, spec, FormError([_message(options)], []))
    shape = options.get("message", "nested")
    if shape == "string":
        body["message"] = _message(options).title
    elif shape == "sub":
        # A sub-orchestration's error is the message of the one that called it.
        body["message"] = {"Orchestration: sub": {"message": body["message"]}}
    return Answer(body, 500)


def _message(options: Options) -> FormMessage:
    return FormMessage(str(options.get("code", "0052")), str(options.get("title", "Business Unit Invalid")), "113")


def _spec(request: Request) -> Spec:
    return SPECS.get(request.path.rsplit("/", 1)[-1], VOUCHER)

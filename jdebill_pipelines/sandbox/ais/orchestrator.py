"""The orchestrator over HTTP: discovery, running by name, the bodies of success, warning and error.

Belongs here: paths, formats, envelopes. Not here: what an orchestration does.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from urllib.parse import unquote

from jdebill_pipelines.sandbox.ais import login
from jdebill_pipelines.sandbox.ais.answers import AisError, Answer, RawError, iso_stamp
from jdebill_pipelines.sandbox.ais.books.base import Books
from jdebill_pipelines.sandbox.ais.books.messages import Findings, FormError, FormMessage
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.orchestration_inputs import read_body, read_inputs
from jdebill_pipelines.sandbox.ais.orchestration_specs import SPECS, Spec
from jdebill_pipelines.sandbox.ais.orchestrations import run
from jdebill_pipelines.sandbox.ais.request import Request
from jdebill_pipelines.sandbox.ais.world import AisWorld


def call(world: AisWorld, request: Request, found: re.Match[str]) -> Answer:
    """GET or POST `/orchestrator/{name}` under any version.

    Raises:
        AisError: 400, 403, 406, 415, 444, or the switch's status for a name that the user cannot see.
        RawError: 500 with the body of a failed orchestration.
    """
    accept = request.headers.get("accept", "*/*")
    if not any(
        part.split(";")[0].strip() in ("*/*", "application/*", "application/json") for part in accept.split(",")
    ):
        raise AisError(406, f"Not Acceptable: {accept}")
    if request.method == "POST":
        request.check_content_type(charset_allowed=world.switches.content_type_charset)
    session = login.authenticate(world, request)
    spec = _spec(world, unquote(found["name"]))
    started = world.clock.now()
    findings = Findings()
    try:
        given = read_inputs(spec, read_body(request), world.switches)
        outputs = run(spec.name, Books(world, session.user), given, findings)
    except FormError as error:
        raise RawError(Answer(failed(world, spec, error), 500)) from None
    world.written[spec.name] += 1
    names = {name for name, _ in spec.outputs} | {"Payment Id", "Payment Number"}
    body: Json = {name: value for name, value in outputs.items() if name in names}
    if world.switches.orchestration_version < 3:
        body = {name: str(value) for name, value in body.items()}
    return Answer(finished(world, spec, body, findings.warnings, started))


def _spec(world: AisWorld, name: str) -> Spec:
    spec = SPECS.get(name)
    if spec is None or name in world.switches.missing_orchestrations:
        raise AisError(world.switches.unknown_orchestration_status, f"Orchestration {name} does not exist")
    return spec


def finished(world: AisWorld, spec: Spec, outputs: Json, warnings: list[FormMessage], started: dt.datetime) -> Json:
    """The body of an orchestration that has done its work."""
    body = dict(outputs)
    if warnings:
        shown = [message.shown("Warning") for message in warnings]
        body["Errors/Warnings"] = [{"Application ID": spec.form, "Title": spec.title, "Errors": [], "Warnings": shown}]
    if world.switches.old_tools:
        return body
    now = world.clock.now()
    body["jde__status"] = "WARN" if warnings else "SUCCESS"
    if warnings:
        body["jde__simpleMessage"] = "\n".join(message.title for message in warnings)
    seconds = int((now - started).total_seconds() * 1000)
    return {
        **body,
        "jde__startTimestamp": iso_stamp(started),
        "jde__endTimestamp": iso_stamp(now),
        "jde__serverExecutionSeconds": seconds // 1000,
    }


def failed(world: AisWorld, spec: Spec, error: FormError) -> Json:
    """The body of an orchestration that was aborted: `message` is nested, as form exceptions are."""
    form = {
        "errors": [message.shown("Error") for message in error.errors],
        "warnings": [message.shown("Warning") for message in error.warnings],
    }
    body: Json = {
        "message": {
            f"ServiceRequest: {spec.step}": {
                "App Stack Form Exception": {"Form": spec.form},
                "JAS Response": {f"fs_{spec.form}": form},
            }
        },
        "exception": "Exception",
        "timeStamp": iso_stamp(world.clock.now()),
        "userDefinedErrorText": "",
        "type": "form",
        "status": "ERROR",
        "exceptionId": str(uuid.uuid4()),
    }
    if not world.switches.old_tools:
        body["jde__simpleMessage"] = f"{spec.step} failed: " + "\n".join(message.title for message in error.errors)
        body["jde__status"] = "ERROR"
    return body


def discover(world: AisWorld, request: Request, found: re.Match[str]) -> Answer:
    """GET `/discover` and `/discover/{name}`.

    Raises:
        AisError: 403, 444, or the switch's status for an unknown name.
    """
    login.authenticate(world, request)
    name = found["name"]
    if name:
        return Answer({"orchestrations": [_discovered(world, _spec(world, unquote(name)))]})
    shown = [spec for spec in SPECS.values() if spec.name not in world.switches.missing_orchestrations]
    return Answer({"orchestrations": [_discovered(world, spec) for spec in shown]})


def _discovered(world: AisWorld, spec: Spec) -> Json:
    return {
        "name": spec.name,
        "description": spec.description,
        "longDescription": "",
        "category": "AP",
        "inputFormat": "Generic",
        "inputs": [item.shown() for item in spec.inputs] if world.switches.expose_inputs else [],
        "outputs": [{"name": name, "type": kind} for name, kind in spec.outputs],
        "exampleOutput": "",
        "exposeInputsInDiscovery": world.switches.expose_inputs,
        "exposeOrchInDiscovery": True,
        "containsContinueOnError": False,
        "fileInputs": [],
        "fileInputsRequired": False,
        "fileOutputs": [],
        "omwObjectName": f"ORC_{spec.name}",
        "scheduleUDOName": "",
        "udoGroup": world.switches.orchestration_group,
        "version": str(world.switches.orchestration_version),
    }

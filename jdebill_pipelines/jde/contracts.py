"""What orchestrations must look like, what the server shows of them, and the difference.

Belongs here: discovery read into contracts, and the check. Does not belong here: the contracts themselves (the folder
``orchestrations/``) or calling them.

JDE AIS: discovery lists what the user may see (UDO view security) and what the designer exposes; only objects in the
group Shared run for an integration user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_TYPES = {
    "string": "string", "text": "string", "str": "string", "character": "string",
    "numeric": "numeric", "number": "numeric", "integer": "numeric", "decimal": "numeric",
    "date": "date", "boolean": "boolean", "array": "array", "object": "array",
}  # fmt: skip


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """An input or output.

    Attributes:
        name: as sent, with its blanks and capitals.
        type: ``string``, ``numeric``, ``date``, ``boolean`` or ``array``; '' = any.
        required: whether it must be sent.
        members: what each element of an array holds.
    """

    name: str
    type: str = ""
    required: bool = True
    members: Sequence[Field] = ()


class OrchestrationSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What an orchestration must look like.

    Attributes:
        name: as delivered; a connection may name it otherwise.
        inputs: what is sent.
        outputs: what is read from the answer.
        version: least version of the orchestration object; 3 has typed outputs.
    """

    name: str
    inputs: Sequence[Field] = ()
    outputs: Sequence[Field] = ()
    version: int = 3


class OrchestrationContract(msgspec.Struct, frozen=True):
    """What the server shows of an orchestration.

    Attributes:
        name: of the orchestration.
        inputs, outputs: '' as type where the server does not say; no outputs = raw step results.
        input_format: ``Generic``, ``JDE Standard`` or ``Oracle Cloud IoT``.
        group: ``Shared``, ``Personal``, ``Reserved``, ``Pending Approval``.
        version: of the orchestration object, 0 when unknown.
        continues_on_error: a step may fail without the orchestration failing.
        shows_inputs: whether the designer exposes the inputs.
        description: by the designer.
    """

    name: str
    inputs: tuple[Field, ...] = ()
    outputs: tuple[Field, ...] = ()
    input_format: str = ""
    group: str = ""
    version: int = 0
    continues_on_error: bool = False
    shows_inputs: bool = True
    description: str = ""


def read_discovery(body: Any) -> dict[str, OrchestrationContract]:
    """The orchestrations of a discovery answer, by name."""
    items = body.get("orchestrations", body.get("services", [])) if isinstance(body, dict) else body
    if isinstance(items, dict):
        items = [items]
    if not items and isinstance(body, dict) and "name" in body:
        items = [body]
    found = [_read(item) for item in items or () if isinstance(item, dict) and item.get("name")]
    return {contract.name: contract for contract in found}


def check_contract(
    discovered: Mapping[str, OrchestrationContract], contract: OrchestrationSpec, name: str | None = None
) -> list[str]:
    """What is wrong with an orchestration on the server, each in one line with what to do; [] when nothing is.

    Args:
        discovered: what the server shows.
        contract: what it must look like.
        name: its name on this server when it is another than the delivered one.
    """
    name = name or contract.name
    actual = discovered.get(name)
    if actual is None:
        other = next((n for n in discovered if n.lower() == name.lower()), None)
        if other is not None:
            return [f"{name}: the server spells it {other}; names are case-sensitive, correct the connection file"]
        return [
            f"{name}: not among the {len(discovered)} orchestrations that the server shows to this user; import and "
            "share it, allow discovery in it, and grant UDO view security to the integration role"
        ]
    return [f"{name}: {problem}" for problem in _problems(actual, contract)]


def _problems(actual: OrchestrationContract, contract: OrchestrationSpec) -> Iterator[str]:
    if actual.group and actual.group.lower() != "shared":
        yield f"it is {actual.group}; publish it (Request to Publish, approve) so that it is Shared"
    if actual.version and actual.version < contract.version:
        yield f"it has orchestration version {actual.version}; version {contract.version} is needed (typed outputs)"
    if actual.input_format and actual.input_format.lower() not in ("generic", "jde standard"):
        yield f"its input format is {actual.input_format}; set it to Generic"
    if actual.shows_inputs:
        yield from _fields(actual.inputs, contract.inputs, "input")
    elif contract.inputs:
        yield "its inputs are not exposed in discovery, so they cannot be checked; expose them"
    if actual.outputs:
        yield from _fields(actual.outputs, contract.outputs, "output")


def _fields(actual: Sequence[Field], wanted: Sequence[Field], what: str) -> Iterator[str]:
    by_name = {field.name: field for field in actual}
    folded = {field.name.lower(): field for field in actual}
    for field in wanted:
        found = by_name.get(field.name)
        if found is None:
            near = folded.get(field.name.lower())
            if near is not None and what == "input":
                yield f"{what} {field.name!r} is spelled {near.name!r}; names of inputs are case-sensitive"
            elif near is None and (field.required or what == "output"):
                yield f"{what} {field.name!r} is missing"
            continue
        have, want = _type(found.type), _type(field.type)
        # A date may be declared as text and converted inside.
        if have and want and have != want and {have, want} != {"date", "string"}:
            yield f"{what} {field.name!r} is {found.type}, and must be {field.type}"
        if field.members and found.members:
            yield from _fields(found.members, field.members, f"{what} {field.name}:")
    if what == "input":
        known = {field.name.lower() for field in wanted}
        for field in actual:
            if field.required and field.name.lower() not in known:
                yield f"input {field.name!r} is required there and is not sent"


def _type(name: str) -> str:
    return _TYPES.get(name.strip().lower(), "")


def _read(item: Mapping[str, Any]) -> OrchestrationContract:
    version = str(item.get("version") or "0").strip()
    return OrchestrationContract(
        name=str(item["name"]),
        inputs=tuple(_read_fields(item.get("inputs"))),
        outputs=tuple(_read_fields(item.get("outputs"))),
        input_format=str(item.get("inputFormat") or ""),
        group=str(item.get("udoGroup") or ""),
        version=int(version) if version.isdigit() else 0,
        continues_on_error=_true(item.get("containsContinueOnError")),
        shows_inputs=item.get("exposeInputsInDiscovery") is None or _true(item.get("exposeInputsInDiscovery")),
        description=str(item.get("description") or ""),
    )


def _read_fields(items: Any) -> Iterator[Field]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, str):
            yield Field(item, required=False)
        elif isinstance(item, dict) and item.get("name"):
            members = next((v for k, v in item.items() if k != "name" and isinstance(v, list)), [])
            yield Field(
                str(item["name"]),
                str(item.get("type") or ""),
                _true(item.get("required")),
                tuple(_read_fields(members)),
            )


def _true(value: Any) -> bool:
    return value is True or str(value).strip().lower() == "true"

"""The contracts of the orchestrations that are delivered with the project, and whether JDE's fit them.

Belongs here: reading the folder ``orchestrations/`` and checking a server against it. Does not belong here: the check
of one orchestration (``jde.contracts``), calling any (``jde_senders``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

import jdebill_pipelines
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.yaml_file import YamlProblem, read_yaml
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.contracts import Field, OrchestrationSpec, check_contract
from jdebill_pipelines.transport.errors import PermanentError

Role = Literal["voucher", "payment", "void", "journal"]
ROLES: tuple[Role, ...] = ("voucher", "payment", "void", "journal")
FILES: Mapping[Role, str] = {
    "voucher": "JDEBILL_AP_VOUCHER",
    "payment": "JDEBILL_AP_PAYMENT",
    "void": "JDEBILL_AP_VOID",
    "journal": "JDEBILL_JOURNAL",
}
FOLDER = Path(jdebill_pipelines.__file__).resolve().parents[1] / "orchestrations"
Text = Annotated[str, msgspec.Meta(min_length=1)]


class ContractFileError(Exception):
    """A contract file is missing or wrong; the text names it."""


class ContractMismatch(PermanentError):
    """What the AIS Server shows of the orchestrations is not what is delivered; nothing was sent.

    Attributes:
        problems: one line each, with what to do.
    """

    problems: tuple[str, ...] = ()


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An input, an output, or a member of an array."""

    name: Text
    type: Literal["string", "numeric", "date", "boolean", "array"]
    required: bool = True
    description: str = ""
    members: tuple[Member, ...] = ()

    def field(self) -> Field:
        """The same as the check of discovery wants it."""
        return Field(self.name, self.type, self.required, tuple(m.field() for m in self.members))


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """How a document that was written is found again.

    Attributes:
        input: that carries our reference.
        column: where JDE keeps it, ``TABLE.ITEM``.
        also: further columns that are looked at.
        with_: columns that narrow the search.
        lookup: for people.
    """

    input: Text
    column: Text
    lookup: Text
    also: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of ``orchestrations/``: everything a CNC administrator must know of an orchestration.

    Attributes:
        version: of the orchestration object; 3 has typed outputs.
        date_format: of date inputs and outputs, Java pattern.
        minimum_tools, minimum_application: JDE releases.
    """

    name: Text
    purpose: Text
    product_code: Text
    version: int
    input_format: Literal["Generic"]
    minimum_tools: Text
    minimum_application: Text
    date_format: Literal["yyyy-MM-dd"]
    inputs: Annotated[tuple[Member, ...], msgspec.Meta(min_length=1)]
    outputs: Annotated[tuple[Member, ...], msgspec.Meta(min_length=1)]
    external_reference: Reference
    calls: Annotated[tuple[dict[str, str], ...], msgspec.Meta(min_length=1)]
    processing_options: tuple[str, ...]
    on_error: Annotated[tuple[dict[str, str], ...], msgspec.Meta(min_length=1)]
    errors: Annotated[tuple[dict[str, str], ...], msgspec.Meta(min_length=1)]
    security: dict[str, tuple[str, ...]]
    connections: tuple[str, ...] = ()

    def spec(self) -> OrchestrationSpec:
        """What discovery is checked against."""
        inputs, outputs = (tuple(m.field() for m in members) for members in (self.inputs, self.outputs))
        return OrchestrationSpec(self.name, inputs, outputs, self.version)


def load_contracts(folder: Path = FOLDER) -> dict[Role, Contract]:
    """The four contracts, by what they do.

    Raises:
        ContractFileError: a file is missing, unreadable, or not as it must be.
    """
    found: dict[Role, Contract] = {}
    for role in ROLES:
        path = folder / f"{FILES[role]}.yaml"
        try:
            contract = msgspec.convert(read_yaml(path), Contract)
        except (YamlProblem, msgspec.ValidationError) as error:
            raise ContractFileError(f"{path}: {error}") from error
        if contract.name != FILES[role]:
            raise ContractFileError(f"{path}: the contract is named {contract.name}, the file {FILES[role]}")
        found[role] = contract
    return found


def names(connection: Connection) -> dict[Role, str]:
    """What the orchestrations are called in the customer's JDE."""
    called = connection.jde.orchestrations
    return {"voucher": called.voucher, "payment": called.payment, "void": called.void, "journal": called.journal}


def problems(client: AisClient, connection: Connection, roles: Iterable[Role] = ROLES) -> list[str]:
    """What is wrong with the orchestrations that the AIS Server shows, one line each, with what to do.

    Raises:
        ApiError: the server cannot be asked.
    """
    called, contracts, discovered = names(connection), load_contracts(), client.discover()
    return [line for role in roles for line in check_contract(discovered, contracts[role].spec(), called[role])]


def require(client: AisClient, connection: Connection, roles: Sequence[Role]) -> None:
    """Make sure that the orchestrations that are about to be called fit their contracts.

    Raises:
        ContractMismatch: they do not.
        ApiError: the server cannot be asked.
    """
    found = problems(client, connection, roles)
    if found:
        error = ContractMismatch(
            f"the orchestrations do not fit their contracts: {'; '.join(found)}",
            fix="Import and share the delivered orchestrations as orchestrations/README.md says; nothing was sent.",
            not_executed=True,
        )
        error.problems = tuple(found)
        raise error


def sent_names(inputs: Mapping[str, Any], members: Sequence[Member]) -> list[str]:
    """How inputs differ from a contract: what is sent and not known, and what is required and not sent."""
    known = {m.name: m for m in members}
    wrong = [f"{name} is not an input" for name in inputs if name not in known]
    for member in members:
        if member.required and member.name not in inputs:
            wrong.append(f"{member.name} is missing")
        for row in inputs.get(member.name, ()) if member.members else ():
            wrong += [f"{member.name}: {line}" for line in sent_names(row, member.members)]
    return wrong

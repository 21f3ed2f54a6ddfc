"""What a trace is made of: documents and events of both systems, tied to one another.

Belongs here: value objects. Does not belong here: reading anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import msgspec

from jdebill_pipelines.domain.payments import money

Plain: TypeAlias = "str | int | Decimal | date | datetime | bool | None"


class Kind(StrEnum):
    """What a thing of the chain is; also the word before the colon of an exact key."""

    SUPPLIER = "supplier"
    VENDOR = "vendor"
    ORDER = "order"
    VOUCHER = "voucher"
    BILL = "bill"
    CREDIT = "credit"
    PAYMENT = "payment"
    POSTING = "posting"
    JDE_PAYMENT = "jde-payment"
    ENTRY = "entry"

    @property
    def called(self) -> str:
        """What people call it."""
        return _TITLES[self]

    @property
    def is_party(self) -> bool:
        """Whether it is a company and no document: a chain ends there, or it would hold all of its documents."""
        return self in (Kind.SUPPLIER, Kind.VENDOR)


_TITLES: Mapping[Kind, str] = {
    Kind.SUPPLIER: "Supplier",
    Kind.VENDOR: "BILL vendor",
    Kind.ORDER: "Purchase order",
    Kind.VOUCHER: "Voucher",
    Kind.BILL: "BILL bill",
    Kind.CREDIT: "BILL vendor credit",
    Kind.PAYMENT: "BILL payment",
    Kind.POSTING: "Posting",
    Kind.JDE_PAYMENT: "JDE payment",
    Kind.ENTRY: "Journal entry",
}


class Ref(NamedTuple):
    """Names one thing: its kind and its natural key or id."""

    kind: Kind
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"


class Fact(msgspec.Struct, frozen=True):
    """One thing that is known of a document.

    Attributes:
        name: stable, for programs.
        title: for people.
        value: amounts are Decimal in major units of ``currency``; times are aware, UTC.
    """

    name: str
    title: str
    value: Plain
    currency: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a document with its account.

    Attributes:
        line: as people find it in its system: ``JELN 3``, ``line 2``, ``pay item 001``.
        account: JDE account as people write it, '' for a line without one.
        account_id: short account id (AID).
        bill_account, department: what it is in BILL, number or name.
        why: why it is that account, '' where the document itself says so.
    """

    line: str
    amount: Decimal | None
    currency: str
    account: str = ""
    account_id: str = ""
    bill_account: str = ""
    department: str = ""
    text: str = ""
    why: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a document, or was decided about it.

    Attributes:
        at: aware, UTC; None when nobody recorded the time.
        what: in a few words: ``held``, ``create confirmed``.
        why: in words.
        who: person or schedule that did it or asked for it.
        run_id: of the run that did it.
        journal: number of its entry in the hash-chained journal, None when it has none.
    """

    at: datetime | None
    what: str
    why: str = ""
    who: str = ""
    run_id: str = ""
    asset: str = ""
    journal: int | None = None
    amount: Decimal | None = None
    currency: str = ""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A document or party of the chain, with everything that is known of it.

    Attributes:
        name: the key that people use, such as the payment number; '' when the key itself is it.
        facts, lines, events: in the order in which people read them.
        notes: what could not be found, in words.
    """

    ref: Ref
    name: str = ""
    facts: tuple[Fact, ...] = ()
    lines: tuple[Line, ...] = ()
    events: tuple[Event, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is, with its key."""
        kind = self.ref.kind
        if kind is Kind.POSTING:
            payment, bill, what = self.ref.key.split(":")
            return f"{'Reversal' if what == 'reverse' else 'Posting'} of {payment} for bill {bill}"
        key = self.ref.key if not self.name else f"{self.ref.key} {self.name}" if kind.is_party else self.name
        return f"{kind.called} {key}"

    def fact(self, name: str) -> Plain:
        """Return the value of a fact, None when it is not known."""
        return next((fact.value for fact in self.facts if fact.name == name), None)


class Tie(msgspec.Struct, frozen=True):
    """Two things that belong together, the earlier one first.

    Attributes:
        what: how: ``billed as``, ``paid by``, ``posted as``...
        amount: by how much, None where that says nothing.
        by: what says so: a column of JDE, a link of ours.
    """

    source: Ref
    target: Ref
    what: str
    amount: Decimal | None = None
    currency: str = ""
    by: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that touched the chain; who started it is '' when it was never recorded."""

    run_id: str
    flow: str
    mode: str
    actor: str
    code_version: str
    status: str
    started_at: datetime


class Read(msgspec.Struct, frozen=True):
    """A copy that the trace was read from, and the moment that it shows; None when it was never made."""

    system: str
    table: str
    at: datetime | None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A chain, whole: the same whichever of its members was asked for.

    Attributes:
        timezone: the connection's, for people.
        asked: what was asked for.
        nodes: every member.
        ties: between members, in an order that does not depend on where it began.
        left_out: documents that were not followed because there are too many.
    """

    connection: str
    timezone: str
    asked: tuple[Ref, ...]
    nodes: dict[Ref, Node]
    ties: tuple[Tie, ...]
    runs: dict[str, Run]
    read: tuple[Read, ...]
    left_out: int = 0

    def as_data(self) -> dict[str, Any]:
        """Return it for a program: amounts exact numbers beside their currency, times ISO 8601 in UTC."""
        return {
            "connection": self.connection,
            "timezone": self.timezone,
            "asked": [str(ref) for ref in self.asked],
            "nodes": [node_data(node) for node in self.nodes.values()],
            "ties": [
                {
                    "from": str(tie.source),
                    "to": str(tie.target),
                    "what": tie.what,
                    **({} if tie.amount is None else {"amount": tie.amount, "currency": tie.currency}),
                    "by": tie.by,
                }
                for tie in self.ties
            ],
            "runs": {run_id: msgspec.structs.asdict(run) for run_id, run in self.runs.items()},
            "read": [msgspec.structs.asdict(read) for read in self.read],
            "left_out": self.left_out,
        }


def node_data(node: Node) -> dict[str, Any]:
    """Return a member for a program."""
    return {
        "ref": str(node.ref),
        "kind": node.ref.kind,
        "key": node.ref.key,
        "title": node.title,
        "facts": {fact.name: _fact_data(fact) for fact in node.facts},
        "lines": [_filled(msgspec.structs.asdict(line)) for line in node.lines],
        "events": [_filled(msgspec.structs.asdict(event)) for event in node.events],
        "notes": list(node.notes),
    }


def amount_of(value: Any) -> Decimal:
    """Return an amount that JSON wrote, exact: 150 and 150.00 are one."""
    return money(value)


def _fact_data(fact: Fact) -> Any:
    if isinstance(fact.value, Decimal) and fact.currency:
        return {"amount": fact.value, "currency": fact.currency}
    return fact.value


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None)}

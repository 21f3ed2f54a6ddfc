"""What an alert says, as everybody writes it who raises one.

Belongs here: the content of an alert and the name of its cause. Does not belong here: when one is raised, how it is
rendered and sent (alerts/), the windows (store/).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

MAX_ROWS = 20
_MAX_FINGERPRINT = 200


class AlertContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has to know.

    Attributes:
        what: one sentence: what is wrong.
        where: the asset, check, job or address it is about.
        fix: what to do about it, and where.
        owner: who it is for, such as ``team:accounts-payable``.
        rows: the first rows that are wrong; values are text, amounts exact.
        total: how many rows are wrong in all.
        run_id: the Dagster run it comes from, ``''`` for none.
        facts: further facts, name -> text.
    """

    what: str
    where: str = ""
    fix: str = ""
    owner: str = ""
    rows: tuple[dict[str, str], ...] = ()
    total: int = 0
    run_id: str = ""
    facts: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """The content as the outbox keeps it: rows as pairs, for PostgreSQL's jsonb sorts the members of an object."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found | {"rows": [list(row.items()) for row in self.rows]}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> AlertContent:
        """Read what the outbox kept; what an older version did not write has its default."""
        rows = [dict(row) for row in body.get("rows", ())]
        return msgspec.convert({"what": "", **body, "rows": rows}, cls, strict=False)


def rows_of(rows: Sequence[Mapping[str, Any]], limit: int = MAX_ROWS) -> tuple[dict[str, str], ...]:
    """The first rows as text, members without a value left out."""
    return tuple({str(k): _text(v) for k, v in row.items() if v not in (None, "")} for row in rows[:limit])


def fingerprint(kind: str, *parts: str) -> str:
    """The name of a cause: alerts with the same one are told once per window.

    Args:
        kind: ``check``, ``run``, ``quarantine``, ``payment``, ``webhook`` ...
        parts: what tells this cause from others of its kind; never anything that changes from run to run.
    """
    name = ":".join((kind, *parts))
    if len(name) <= _MAX_FINGERPRINT:
        return name
    return f"{name[: _MAX_FINGERPRINT - 17]}:{hashlib.sha256(name.encode('utf-8')).hexdigest()[:16]}"


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else str(value)

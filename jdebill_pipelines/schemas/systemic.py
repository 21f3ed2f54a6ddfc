"""Whether the data as a whole can be trusted enough to write anything at all.

Belongs here: what closes the gate of a month: reference data that is empty, stale or misshapen, too many invalid
documents, a mass disappearance. Does not belong here: single documents (``gate``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from jdebill_pipelines.domain.rows import Row
from jdebill_pipelines.domain.verdicts import Verdict

FEW = 20  # below this many documents a share says nothing about the data as a whole


class ReferenceState(msgspec.Struct, frozen=True):
    """How one piece of reference data was last read.

    Attributes:
        name: for people, for example ``F0901 (accounts)``.
        rows: how many rows there are.
        extracted_at: when it was read (aware, UTC), None when it never was.
        missing_columns: columns that are expected and were not delivered in any row.
        may_be_empty: an empty one is normal (a site without F0013 rows).
    """

    name: str
    rows: int
    extracted_at: datetime | None
    missing_columns: tuple[str, ...] = ()
    may_be_empty: bool = False


# What nothing can be judged without, per table; blank in every row means that column security took it away.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "F0010": ("CO", "CRCD"),
    "F0008": ("DTPN", "DFYJ", "D01J"),
    "F0013": ("CRCD",),
    "F0006": ("MCU", "CO"),
    "F0901": ("AID", "CO", "MCU", "OBJ"),
    "F0401": ("AN8",),
    "F0101": ("AN8", "ALPH"),
    "F0116": ("AN8", "ADD1", "CTY1"),
}
_MAY_BE_EMPTY = frozenset(("F0013", "F0008"))


def reference_state(table: str, rows: Iterable[Row], extracted_at: datetime | None) -> ReferenceState:
    """Describe one table of reference data.

    Args:
        table: JDE table name.
        rows: all its rows.
        extracted_at: when it was read, aware; None when it never was.

    Raises:
        KeyError: the table is no reference data of the gate.
    """
    required = REQUIRED[table]
    count = 0
    seen: set[str] = set()
    for row in rows:
        count += 1
        if len(seen) < len(required):
            seen.update(item for item in required if row.get(item) not in (None, "", 0))
    missing = tuple(item for item in required if item not in seen) if count else ()
    return ReferenceState(table, count, extracted_at, missing, may_be_empty=table in _MAY_BE_EMPTY)


class Tolerance(msgspec.Struct, frozen=True):
    """What the connection tolerates.

    Attributes:
        gate: ``strict`` closes on any invalid document, ``quarantine`` on more than ``max_invalid_ratio``.
        max_invalid_ratio: share of invalid documents, 0 to 1.
        max_age: age of reference data.
        max_disappeared_ratio: share of known documents that may disappear at once, 0 to 1.
    """

    gate: Literal["quarantine", "strict"] = "quarantine"
    max_invalid_ratio: Decimal = Decimal("0.25")
    max_age: timedelta = timedelta(hours=26)
    max_disappeared_ratio: Decimal = Decimal("0.25")


class GateDecision(msgspec.Struct, frozen=True):
    """Whether the gate of a month is open, and why not."""

    is_open: bool
    reasons: tuple[str, ...]


def judge_systemic(
    verdicts: Sequence[Verdict],
    references: Iterable[ReferenceState],
    tolerance: Tolerance,
    *,
    now: datetime,
    disappeared: int = 0,
    known: int = 0,
) -> GateDecision:
    """Open or close the gate of a month.

    Args:
        verdicts: of all documents of the month that are due or held.
        references: how each piece of reference data was read.
        tolerance: what the connection tolerates.
        now: the moment of the run, aware.
        disappeared: documents with a bill in BILL that JDE no longer shows.
        known: documents of the month with a bill in BILL.
    """
    reasons = [reason for state in references for reason in _distrust(state, tolerance, now)]
    invalid = sum(not v.passed for v in verdicts)
    if invalid and tolerance.gate == "strict":
        reasons.append(f"{invalid} of {len(verdicts)} documents are invalid and the connection's gate is strict")
    elif len(verdicts) >= FEW and invalid > len(verdicts) * tolerance.max_invalid_ratio:
        allowed = f"{tolerance.max_invalid_ratio:%}"
        reasons.append(f"{invalid} of {len(verdicts)} documents are invalid; the connection tolerates {allowed}")
    if known >= FEW and disappeared > known * tolerance.max_disappeared_ratio:
        reasons.append(
            f"{disappeared} of {known} documents that are in BILL have disappeared from JD Edwards at once; "
            "check row security and the connection's companies before anything is archived"
        )
    return GateDecision(not reasons, tuple(reasons))


def _distrust(state: ReferenceState, tolerance: Tolerance, now: datetime) -> Iterable[str]:
    if state.extracted_at is None:
        yield f"{state.name} has never been read"
        return
    if state.rows == 0 and not state.may_be_empty:
        yield f"{state.name} is empty; check the role's access to the table"
    if now - state.extracted_at > tolerance.max_age:
        when = f"{state.extracted_at:%Y-%m-%d %H:%M} UTC"
        yield f"{state.name} was last read at {when}, longer ago than {tolerance.max_age}"
    if state.missing_columns:
        yield f"{state.name} came without {', '.join(state.missing_columns)}; check column security"

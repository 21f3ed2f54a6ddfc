"""Everything that a run leaves behind, in a form that two runs can be compared by.

Belongs here: reading it. Times, run ids and the remote ids' order in tables are left out: they differ by nature.
"""

from __future__ import annotations

from typing import Any

from jdebill_pipelines.store.drafts import StoredDraft
from jdebill_pipelines_tests.support.world import KINDS, World

# What BILL itself stamps, and its own bookkeeping of a change.
_TIMES = ("createdTime", "updatedTime")


def state_of(world: World) -> dict[str, Any]:
    """Links, drafts, verdicts of the drafts, quarantine, gates, open writes, and what BILL holds, all by key."""
    store = world.store
    drafts = store.drafts.read("bills") + store.drafts.read("vendors")
    archived = {(kind, key) for kind in KINDS for key, link in store.links.all(kind).items() if link.archived}
    verdicts = {**store.verdicts.read("bills"), **store.verdicts.read("vendors")}
    return {
        "links": {
            (kind, key): (link.remote_id, link.content_hash, link.archived)
            for kind in KINDS
            for key, link in store.links.all(kind).items()
        },
        "drafts": {
            # A draft is made before the writing: one that asked for an archive that is done asks for nothing.
            (d.kind, d.natural_key): (
                *(("not_due", "create") if _is_done(d, archived) else (d.status, d.operation)),
                d.period,
                d.content_hash,
                d.amount,
            )
            for d in drafts
        },
        "verdicts": {
            (d.kind, d.natural_key): (found.passed, sorted((f.rule, f.line, f.field) for f in found.failures))
            for d in drafts
            if d.status != "not_due"
            and not _is_done(d, archived)
            and (found := verdicts.get((d.natural_key, d.content_hash))) is not None
        },
        "quarantine": sorted((h.kind, h.natural_key, h.rule, h.line, h.field) for h in store.quarantine.open()),
        "open writes": sorted((w.kind, w.natural_key) for w in store.writes.open_writes()),
        "BILL": {
            (kind, one["id"]): {name: value for name, value in one.items() if name not in _TIMES}
            for kind in KINDS
            for one in world.bill(kind)
        },
    }


def _is_done(draft: StoredDraft, archived: set[tuple[str, str]]) -> bool:
    return draft.operation == "archive" and (draft.kind, draft.natural_key) in archived


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What is different, one line each, so that a failure can be read."""
    found = []
    for part, left in one.items():
        right = other[part]
        if isinstance(left, dict):
            keys = sorted({*left, *right}, key=str)
            found += [f"{part} {k}: {left.get(k)} | {right.get(k)}" for k in keys if left.get(k) != right.get(k)]
        elif left != right:
            found += [f"{part}: only in one {x}" for x in left if x not in right]
            found += [f"{part}: only in the other {x}" for x in right if x not in left]
    return found

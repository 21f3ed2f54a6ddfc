"""GL accounts and business units against BILL's accounts and departments.

Belongs here: the assets ``bill/accounts``, ``bill/departments`` and ``sync/gl_map``. Does not belong here: how a JDE
account is named in BILL (``domain.gl_mapping``).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.gl_mapping import (
    GlMap,
    GlRules,
    MissingAccount,
    MissingDepartment,
    Override,
    OverrideError,
    Side,
    build_gl_map,
    parse_overrides,
)
from jdebill_pipelines.domain.verdicts import Verdict
from jdebill_pipelines.schemas.systemic import judge_systemic
from jdebill_pipelines.steps.bill_side import refresh_classifications
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.steps.delivery import deliver
from jdebill_pipelines.steps.holding import reference_state, tolerance
from jdebill_pipelines.steps.senders import AccountSender, DepartmentSender
from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.maps import GlMatch

Classification = Literal["accounts", "departments"]


def rules(ctx: StepContext) -> GlRules:
    """The connection's naming rules."""
    gl, create = ctx.connection.sync.gl, ctx.connection.sync.create_missing
    return GlRules(
        account_number=gl.account_number,
        department=gl.department,
        account_name=gl.account_name,
        department_name=gl.department_name,
        create_accounts=create.accounts,
        create_departments=create.departments,
    )


def overrides(ctx: StepContext) -> tuple[Override, ...]:
    """The lines of the connection's override file.

    Raises:
        OverrideError: with the file, the line and what is wrong with it.
    """
    path = ctx.connection.sync.gl.overrides
    if path is None:
        return ()
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            return parse_overrides(csv.DictReader(file))
        except OverrideError as error:
            raise OverrideError(f"{path}: {error}") from error


def mapped(ctx: StepContext) -> GlMap:
    """The map as staging and mirror have it; reads only our own database."""
    store = ctx.store
    return build_gl_map(
        store.staging.read(t.F0901),
        store.staging.read(t.F0006),
        [row["raw"] for row in store.mirror.read("accounts")],
        [row["raw"] for row in store.mirror.read("departments")],
        rules=rules(ctx),
        overrides=overrides(ctx),
    )


def used_accounts(ctx: StepContext, gl: GlMap) -> set[str]:
    """Short ids of the accounts that documents in staging are charged to: only these need a counterpart in BILL."""
    used = set()
    for table, columns in ((t.F0911, ("AID", "MCU", "OBJ", "SUB")), (t.F4311, ("AID", "OMCU", "OBJ", "SUB"))):
        for aid, unit, object_, subsidiary in set(ctx.store.staging.rows(table, columns=columns)):
            entry = gl.resolve(aid, unit, object_, subsidiary)
            if entry is not None:
                used.add(entry.aid)
    return used


def accounts(ctx: StepContext) -> StepResult:
    """Mirror BILL's chart of accounts; create what documents need and BILL lacks, where the connection says so."""
    return _classifications(ctx, "accounts")


def departments(ctx: StepContext) -> StepResult:
    """Mirror BILL's departments; create what documents need and BILL lacks, where the connection says so."""
    return _classifications(ctx, "departments")


def gl_map(ctx: StepContext) -> StepResult:
    """Store what every JDE account and business unit is in BILL, and each side's state."""
    gl = mapped(ctx)
    used = used_accounts(ctx, gl)
    matches = [
        GlMatch(
            kind="account",
            jde_key=e.aid,
            state=str(e.bill_account_state),
            bill_id=e.bill_account_id or None,
            bill_number=e.account_number,
            bill_name=e.account_name,
            details={"code": e.code, "posting_code": e.posting_code, "used": e.aid in used},
        )
        for e in gl.entries.values()
    ]
    by_unit = {e.business_unit: e for e in gl.entries.values() if e.department}
    matches += [
        GlMatch(
            kind="department",
            jde_key=unit,
            state=str(e.bill_department_state),
            bill_id=e.bill_department_id or None,
            bill_name=e.department,
        )
        for unit, e in by_unit.items()
    ]
    ctx.store.maps.put_gl(matches, run_id=ctx.run_id, replace_all=True)
    result = StepResult(counts={"rows": len(matches), "accounts used by documents": len(used)})
    for what, states in (
        ("account", Counter(gl.entries[a].bill_account_state for a in used)),
        ("department", Counter(gl.entries[a].bill_department_state for a in used)),
    ):
        for state, n in states.items():
            result.add(f"{what} {state}", n)
    result.tables["used accounts without a BILL account or department"] = [
        {
            "account": e.code,
            "BILL account": e.account_number,
            "state": str(e.bill_account_state),
            "BILL department": e.department,
            "department state": str(e.bill_department_state),
        }
        for e in (gl.entries[a] for a in sorted(used))
        if e.bill_account_state is not Side.OK or e.bill_department_state not in (Side.OK, Side.UNUSED)
    ][:50]
    return result


def _classifications(ctx: StepContext, kind: Classification) -> StepResult:
    result = StepResult(counts={"rows": refresh_classifications(ctx, kind)})
    gl = mapped(ctx)
    used = used_accounts(ctx, gl)
    missing: Sequence[MissingAccount | MissingDepartment]
    missing = gl.missing_accounts(used) if kind == "accounts" else gl.missing_departments(used)
    _draft(ctx, kind, missing)
    if missing:
        sender = AccountSender(ctx) if kind == "accounts" else DepartmentSender(ctx)
        made = deliver(ctx, kind, [sender])
        result.counts |= made.counts
        result.needs_person += made.needs_person
        result.counts["rows"] = refresh_classifications(ctx, kind)
    return result


def _draft(ctx: StepContext, kind: Classification, missing: Sequence[MissingAccount | MissingDepartment]) -> None:
    """Draft what is to be created. It passes because it is made of an account that JDE has and a document uses."""
    singular = kind[:-1]
    drafts = [
        Draft(
            kind=singular,
            natural_key=m.number if isinstance(m, MissingAccount) else m.value,
            status="due",
            content=m.content,
            source="F0901" if kind == "accounts" else "F0006",
        )
        for m in missing
    ]
    verdicts = [Verdict(singular, d.natural_key, content_hash(singular, d.content), True) for d in drafts]
    decision = judge_systemic(
        (),
        [reference_state(ctx, t.F0901, "accounts"), reference_state(ctx, t.F0006, "business units")],
        tolerance(ctx),
        now=ctx.now,
    )
    ctx.store.drafts.put(kind, drafts, run_id=ctx.run_id, replace_all=True)
    ctx.store.verdicts.put(kind, verdicts, run_id=ctx.run_id)
    ctx.store.verdicts.set_gate(kind, "", decision.is_open, decision.reasons, run_id=ctx.run_id)

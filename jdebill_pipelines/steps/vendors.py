"""Suppliers become vendors: matching, drafts with their verdicts, writing.

Belongs here: the assets ``sync/vendor_map`` and ``bill/vendors``. Does not belong here: the rules of matching
(``domain.vendor_matching``) and what a vendor is made of (``domain.suppliers``).
"""

from __future__ import annotations

from jdebill_pipelines.domain import tables as t
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.suppliers import Supplier, SupplierTables, build_suppliers, vendor_content, vendor_status
from jdebill_pipelines.domain.vendor_matching import VendorDecision, VendorMatching, VendorRecord, match_vendors
from jdebill_pipelines.domain.verdicts import Failure
from jdebill_pipelines.schemas.gate import judge_vendors
from jdebill_pipelines.schemas.systemic import judge_systemic
from jdebill_pipelines.steps.bill_side import refresh_vendors
from jdebill_pipelines.steps.context import StepContext, StepResult
from jdebill_pipelines.steps.delivery import deliver
from jdebill_pipelines.steps.holding import failures_by_document, held, reference_state, tell, tolerance
from jdebill_pipelines.steps.senders import VendorSender
from jdebill_pipelines.store.drafts import Draft
from jdebill_pipelines.store.links import Link
from jdebill_pipelines.store.maps import VendorMatch

GATE = "vendors"


def staged_suppliers(ctx: StepContext) -> dict[str, Supplier]:
    """The suppliers as staging has them, by address number."""
    read = ctx.store.staging.read
    tables = SupplierTables(*(read(x) for x in (t.F0401, t.F0101, t.F0111, t.F0115, t.F0116, t.F01151)))
    return build_suppliers(tables, today=ctx.today, inactive_search_types=ctx.connection.jde.inactive_search_types)


def match(ctx: StepContext) -> VendorMatching:
    """Match the staged suppliers with the mirrored vendors; reads only our own database."""
    links = {key: link.remote_id for key, link in ctx.store.links.all("vendor").items()}
    vendors = [VendorRecord.of(row["raw"]) for row in ctx.store.mirror.read("vendors")]
    return match_vendors(staged_suppliers(ctx).values(), vendors, links=links)


def vendor_map(ctx: StepContext) -> StepResult:
    """Decide which vendor each supplier is, and draft the vendors that are missing or differ."""
    result = StepResult()
    result.add("vendors read", refresh_vendors(ctx))
    suppliers = staged_suppliers(ctx)
    matching = match(ctx)
    _store_matching(ctx, matching)
    drafts = [_draft(s, matching.decisions[s.number]) for s in suppliers.values()]
    verdicts = judge_vendors(list(suppliers.values()), Currencies.from_rows(ctx.store.staging.read(t.F0013)))
    references = [reference_state(ctx, t.F0401, "suppliers"), reference_state(ctx, t.F0101, "address book")]
    decision = judge_systemic((), references, tolerance(ctx), now=ctx.now)
    failures = failures_by_document(verdicts) | {
        ("vendor", d.supplier): (Failure("", "vendor", ", ".join(d.candidates), d.reason, d.fix, "ambiguous_vendor"),)
        for d in matching.held
    }
    # Only suppliers that would get a vendor wait for a person; one that is on hold or inactive anyway does not.
    waiting = held([d for d in drafts if d.status == "held" or (d.status == "due")], failures)
    ctx.store.drafts.put(GATE, drafts, run_id=ctx.run_id, replace_all=True)
    ctx.store.verdicts.put(GATE, verdicts, run_id=ctx.run_id)
    ctx.store.verdicts.set_gate(GATE, "", decision.is_open, decision.reasons, run_id=ctx.run_id)
    ctx.store.quarantine.hold(GATE, waiting, run_id=ctx.run_id, everything=True)
    result.counts |= {"rows": len(suppliers), "suppliers": len(suppliers)}
    for action in ("linked", "match", "create", "held"):
        result.add(action, sum(d.action == action for d in matching.decisions.values()))
    tell(result, GATE, waiting, {"": decision})
    result.tables["possible duplicates"] = [
        {"suppliers": ", ".join(d.suppliers), "why": d.why.replace("_", " ")} for d in matching.duplicates[:50]
    ]
    return result


def write_vendors(ctx: StepContext) -> StepResult:
    """Create the missing vendors and update those that differ."""
    result = deliver(ctx, GATE, [VendorSender(ctx)])
    _check_blocked(ctx, result)
    return result


def _check_blocked(ctx: StepContext, result: StepResult) -> None:
    for reason, n in ctx.store.releases.blocked(GATE).items():
        result.counts[f"not released: {reason}"] = n


def _store_matching(ctx: StepContext, matching: VendorMatching) -> None:
    found = [
        Link(kind="vendor", natural_key=d.supplier, remote_id=d.vendor_id, origin="matched", details={"by": d.by})
        for d in matching.decisions.values()
        if d.action == "match"
    ]
    ctx.store.links.put("vendor", found, run_id=ctx.run_id)
    ctx.store.maps.put_vendors(
        [
            VendorMatch(
                natural_key=d.supplier,
                state=d.action,
                vendor_id=d.vendor_id or None,
                method=d.by,
                reason=d.reason,
                candidates=list(d.candidates),
                details={"rivals": list(d.rivals), "fix": d.fix},
            )
            for d in matching.decisions.values()
        ],
        run_id=ctx.run_id,
        replace_all=True,
    )


def _draft(supplier: Supplier, decision: VendorDecision) -> Draft:
    status, reason = vendor_status(supplier)
    if decision.action == "held" and status == "due":
        status, reason = "held", decision.reason
    return Draft(
        kind="vendor",
        natural_key=supplier.number,
        status=status,
        reason=reason,
        content=vendor_content(supplier) if supplier.complete else {},
        party=supplier.number,
        source="F0401",
        details={"name": supplier.name},
    )

"""The gate: which drafts may be written, for exactly the content they have.

Belongs here: verdicts per document. Does not belong here: what is wrong with the data as a whole (``systemic``), or
acting on a verdict (``store.releases``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from jdebill_pipelines.domain.canonical import content_hash
from jdebill_pipelines.domain.documents import BillDraft
from jdebill_pipelines.domain.gl_mapping import GlMap
from jdebill_pipelines.domain.money import Currencies
from jdebill_pipelines.domain.suppliers import Supplier, vendor_content
from jdebill_pipelines.domain.verdicts import Failure, Verdict
from jdebill_pipelines.schemas.bill_headers import judge_headers
from jdebill_pipelines.schemas.bill_lines import judge_lines
from jdebill_pipelines.schemas.vendors import judge_vendor_contents


class GateReference(msgspec.Struct, frozen=True):
    """Both sides' reference data, as it is now."""

    suppliers: Mapping[str, Supplier]
    gl: GlMap
    currencies: Currencies


def judge_bill_drafts(drafts: Iterable[BillDraft], reference: GateReference) -> list[Verdict]:
    """Judge every draft that is due or held, in order; a draft that is not due is not written and gets no verdict.

    A held draft never passes: the problems its own rules found are among its failures.
    """
    judged = [draft for draft in drafts if draft.status != "not_due"]
    headers = judge_headers(judged, dict(reference.suppliers), reference.currencies)
    lines = judge_lines(judged, reference.gl, reference.currencies)
    verdicts = []
    for index, draft in enumerate(judged):
        failures = (*headers.get(index, ()), *lines.get(index, ()))
        if draft.status == "held" and not failures:
            failures = (_held(draft.reason),)
        verdicts.append(Verdict(draft.kind, draft.natural_key, draft.content_hash, not failures, failures))
    return verdicts


def judge_vendors(suppliers: Sequence[Supplier], currencies: Currencies | None = None) -> list[Verdict]:
    """Judge the vendor of every supplier, in order.

    The content of a supplier that is complete is ``vendor_content(supplier)``; of one that is not, it is ``{}``.
    """
    contents = [vendor_content(s) if s.complete else {} for s in suppliers]
    complete = [i for i, s in enumerate(suppliers) if s.complete]
    judged = judge_vendor_contents([contents[i] for i in complete], currencies or Currencies())
    failures: dict[int, list[Failure]] = {complete[place]: found for place, found in judged.items()}
    verdicts = []
    for index, supplier in enumerate(suppliers):
        found = (*supplier.problems, *failures.get(index, ()))
        digest = content_hash("vendor", contents[index])
        verdicts.append(Verdict("vendor", supplier.number, digest, not found, found))
    return verdicts


def _held(reason: str) -> Failure:
    """What is held without a problem of its own is held for the reason that its draft gives."""
    fix = "Resolve the reason and make the drafts of this month again."
    return Failure("", "", "", reason or "The document is held.", fix, "held")

"""The procedures of the report, in its order.

Belongs here: the list. A new procedure is added to a module's tuple and its module here; the report sorts by section.
"""

from __future__ import annotations

from jdebill_pipelines.audit.model import Procedure, Section
from jdebill_pipelines.audit.procedures import (
    closing,
    documents,
    duplicates,
    duties,
    operations,
    postings,
    reversals,
    validation,
)
from jdebill_pipelines.audit.procedures.tie_out import TIE_OUT

_ORDER = list(Section)

PROCEDURES: tuple[Procedure, ...] = tuple(
    sorted(
        (
            TIE_OUT,
            *postings.POSTINGS,
            *reversals.REVERSALS,
            *postings.CUT_OFF,
            *closing.CLOSING,
            *duplicates.DUPLICATES,
            *documents.DOCUMENTS,
            *validation.VALIDATION,
            *duties.DUTIES,
            *operations.OPERATIONS,
        ),
        key=lambda procedure: _ORDER.index(procedure.section),
    )
)

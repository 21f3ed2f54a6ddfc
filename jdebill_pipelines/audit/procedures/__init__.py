"""The procedures of the report, in its order.

Belongs here: the list. A new procedure is added to a module's tuple and its module here; the report sorts by section.
"""

from __future__ import annotations

from jdebill_pipelines.audit.model import Procedure, Section
from jdebill_pipelines.audit.procedures import (
    closing,
    cut_off,
    documents,
    duplicates,
    duties,
    gl_control,
    in_transit,
    integrity,
    operations,
    payment_trace,
    postings,
    reversals,
    roll_forward,
    three_sided,
    tie_out,
    validation,
)

_ORDER = list(Section)

PROCEDURES: tuple[Procedure, ...] = tuple(
    sorted(
        (
            tie_out.TIE_OUT,
            *three_sided.THREE_SIDED_TIES,
            *roll_forward.ROLL_FORWARDS,
            *gl_control.GL_CONTROL,
            *postings.POSTINGS,
            in_transit.IN_TRANSIT,
            payment_trace.PAYMENT_TRACE,
            *reversals.REVERSALS,
            *postings.CUT_OFF,
            *closing.CLOSING,
            *cut_off.CUT_OFFS,
            *duplicates.DUPLICATES,
            *documents.DOCUMENTS,
            *validation.VALIDATION,
            *duties.DUTIES,
            *integrity.INTEGRITY,
            *operations.OPERATIONS,
        ),
        key=lambda procedure: _ORDER.index(procedure.section),
    )
)

"""What a report makes of bills whose supplier was put on hold afterwards, and of a write that the gate had refused."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from jdebill_pipelines.audit.procedures.validation import BYPASS
from jdebill_pipelines.audit.runner import run_report
from jdebill_pipelines.config.connection import load_connections
from jdebill_pipelines_tests.audit_trace.conftest import ZONE, Told
from jdebill_pipelines_tests.support.world import NAME

pytestmark = [pytest.mark.timeout(600)]

_EARLIER = """
UPDATE jdebill.verdicts SET at = (SELECT min(settled_at) FROM jdebill.writes WHERE connection = :c) - interval '1 hour'
WHERE connection = :c AND natural_key = :key
"""


def findings(told: Told) -> dict[str, str]:
    """The findings of the procedure over this month, by document."""
    connection = load_connections(told.world.settings.connections_dir)[NAME]
    month = f"{datetime.now(UTC).astimezone(ZoneInfo(ZONE)):%Y-%m}"
    report = run_report(told.world.store, connection, month, procedures=[BYPASS])
    (result,) = report.results
    assert result.population > 0
    return {row["document"]: row["finding"] for row in report.read_rows(BYPASS.key)}


def test_a_hold_that_came_after_the_bill_is_no_bypass(told: Told) -> None:
    """Bills were written, then their supplier was put on hold and judged again: nothing went around the gate.

    The same verdict reached before the write is a finding.
    """
    store = told.world.store
    failed = {key for (key, _), verdict in store.verdicts.read("bills").items() if not verdict.passed}
    written = sorted(failed & store.links.all("bill").keys())
    assert written
    assert findings(told) == {}
    with told.world.engine.begin() as tx:
        tx.execute(sa.text(_EARLIER), {"c": NAME, "key": written[0]})
    assert findings(told) == {written[0]: "the verdict failed"}

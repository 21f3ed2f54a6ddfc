"""`docs/webhooks.md` says what the receiver does: every metric, and every refusal with its status."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from jdebill_pipelines.receiver.metrics import Metrics
from jdebill_pipelines.receiver.reasons import ALERTS, STATUS
from jdebill_pipelines.store.inbox import InboxStats

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text("utf-8")


def test_every_metric_is_on_the_page_and_no_other() -> None:
    """The table of metrics is the list of those that are served."""
    stats = InboxStats(0, 1, 0, 0, datetime.now(UTC), None)
    served = Metrics().text(waiting=0, database_up=True, inbox={"acme": stats})
    named = re.findall(r"^\| `(jdebill_\w+)`", PAGE, re.MULTILINE)
    assert sorted(named) == sorted(re.findall(r"^# TYPE (\w+)", served, re.MULTILINE))


def test_every_refusal_is_on_the_page_with_its_status() -> None:
    """The table of refusals is the receiver's; those that raise an alert have the statuses that the page names."""
    assert dict(re.findall(r"^\| `([a-z0-9 ]+)` \| (\d+) \|", PAGE, re.MULTILINE)) == {
        reason.value: str(status) for reason, status in STATUS.items()
    }
    told = {STATUS[reason] for reason in ALERTS}
    assert {reason for reason in STATUS if STATUS[reason] in told} == set(ALERTS)
    assert told == {400, 401, 403}
    assert "Those of\n401, 400 and 403 raise an alert" in PAGE

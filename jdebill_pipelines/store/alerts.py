"""Alerts: the outbox of those to be sent, and the windows in which a cause is not told again.

Belongs here: one alert per cause and window, counting what is suppressed, retrying. Does not belong here: fingerprints,
texts and channels (alerts/).

A window opens when an alert was really sent. While one waits in the outbox, what comes on top is counted on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from jdebill_pipelines.store.engine import encode_json
from jdebill_pipelines.store.locks import lock_in
from jdebill_pipelines.store.scope import Part

MAX_ATTEMPTS = 20


class QueuedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert to be sent.

    Attributes:
        suppressed: how many of the same cause were not sent since the last one that was.
    """

    id: int
    fingerprint: str
    subject: str
    body: dict[str, Any]
    attempts: int
    suppressed: int
    created_at: datetime


class AlertWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that was told lately."""

    fingerprint: str
    opened_at: datetime
    until: datetime
    suppressed: int
    last_suppressed_at: datetime | None


class Alerts(Part):
    """The alerts of one connection."""

    def offer(self, fingerprint: str, subject: str, body: Mapping[str, Any], *, window_minutes: int) -> bool:
        """Queue an alert unless its cause was told within the window or waits already; then it is counted.

        Returns:
            Whether it was queued.
        """
        with self.scope.transaction() as tx:
            lock_in(tx, "alert", self.scope.connection, fingerprint)
            values = {"fingerprint": fingerprint}
            if self.run(tx, _WITHIN, **values).first() is None:
                queued = self.run(
                    tx,
                    _QUEUE,
                    subject=subject,
                    body=encode_json(dict(body)),
                    window=window_minutes,
                    **values,
                ).rowcount
                if queued:
                    return True
            self.run(tx, _SUPPRESS, **values)
            return False

    def take(self, worker: str, *, limit: int = 20, lease_seconds: int = 120) -> list[QueuedAlert]:
        """Take alerts to send; one whose sender died is taken again."""
        with self.scope.transaction() as tx:
            taken = self.run(tx, _TAKE, worker=worker, limit=limit, lease=lease_seconds)
            return sorted((QueuedAlert(**row) for row in taken.mappings()), key=lambda alert: alert.id)

    def sent(self, alert_id: int, *, told: int) -> None:
        """Record that an alert was sent, and open its window.

        Args:
            alert_id: as taken.
            told: how many suppressed ones it told of; what was counted while it was being sent stays counted.
        """
        with self.scope.transaction() as tx:
            self.run(tx, _SENT, id=alert_id, told=told)

    def failed(self, alert_id: int, error: str, *, max_attempts: int = MAX_ATTEMPTS) -> bool:
        """Record that sending failed; it is tried again later. Returns False when it was given up."""
        with self.scope.transaction() as tx:
            state = self.run(tx, _FAILED, id=alert_id, error=error[:2000], most=max_attempts).scalar_one_or_none()
            return state == "pending"

    def windows(self) -> list[AlertWindow]:
        """Return the windows that are open now."""
        found = self.select(
            "SELECT fingerprint, opened_at, until, suppressed, last_suppressed_at FROM jdebill.alert_windows "
            "WHERE connection = :connection AND until > clock_timestamp() ORDER BY opened_at"
        )
        return [AlertWindow(**row) for row in found]

    def outbox(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the latest alerts with their state, latest first."""
        return self.select(
            "SELECT id, fingerprint, subject, body, state, attempts, last_error, created_at, sent_at "
            "FROM jdebill.alert_outbox WHERE connection = :connection ORDER BY id DESC LIMIT :limit",
            limit=limit,
        )


_WITHIN = """
SELECT 1 FROM jdebill.alert_windows
WHERE connection = :connection AND fingerprint = :fingerprint AND until > clock_timestamp()
"""
_QUEUE = """
INSERT INTO jdebill.alert_outbox (connection, fingerprint, subject, body, window_minutes)
VALUES (:connection, :fingerprint, :subject, CAST(:body AS jsonb), :window) ON CONFLICT DO NOTHING
"""
_SUPPRESS = """
INSERT INTO jdebill.alert_windows AS w (connection, fingerprint, opened_at, until, suppressed, last_suppressed_at)
VALUES (:connection, :fingerprint, clock_timestamp(), clock_timestamp(), 1, clock_timestamp())
ON CONFLICT (connection, fingerprint) DO UPDATE SET
  suppressed = w.suppressed + 1, last_suppressed_at = clock_timestamp()
"""
_TAKE = """
UPDATE jdebill.alert_outbox o SET state = 'sending', worker = :worker, attempts = o.attempts + 1,
  lease_until = clock_timestamp() + make_interval(secs => :lease)
WHERE o.id IN (SELECT id FROM jdebill.alert_outbox WHERE connection = :connection
  AND (state = 'pending' AND not_before <= clock_timestamp() OR state = 'sending' AND lease_until <= clock_timestamp())
  ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING o.id, o.fingerprint, o.subject, o.body, o.attempts, o.created_at,
  coalesce((SELECT w.suppressed FROM jdebill.alert_windows w
    WHERE w.connection = o.connection AND w.fingerprint = o.fingerprint), 0) AS suppressed
"""
_SENT = """
WITH told AS (
  UPDATE jdebill.alert_outbox SET state = 'sent', sent_at = clock_timestamp(), lease_until = NULL
  WHERE connection = :connection AND id = :id AND state = 'sending' RETURNING connection, fingerprint, window_minutes)
INSERT INTO jdebill.alert_windows AS w (connection, fingerprint, opened_at, until)
SELECT connection, fingerprint, clock_timestamp(), clock_timestamp() + make_interval(mins => window_minutes) FROM told
ON CONFLICT (connection, fingerprint) DO UPDATE SET
  opened_at = excluded.opened_at, until = excluded.until, suppressed = greatest(w.suppressed - :told, 0),
  last_suppressed_at = CASE WHEN w.suppressed > :told THEN w.last_suppressed_at END
"""
_FAILED = """
UPDATE jdebill.alert_outbox SET state = CASE WHEN attempts >= :most THEN 'given_up' ELSE 'pending' END,
  last_error = :error, lease_until = NULL,
  not_before = clock_timestamp() + make_interval(secs => least(3600, 15 * power(2, least(attempts, 10))))
WHERE connection = :connection AND id = :id AND state = 'sending' RETURNING state
"""

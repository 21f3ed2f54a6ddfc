"""A connection whose runs are watched: real runs on the Dagster instance, real ticks of its sensors, real channels.

Belongs here: running, ticking, letting time pass, reading what arrived. Does not belong here: any expectation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
import sqlalchemy as sa

from jdebill_pipelines.build import build_defs
from jdebill_pipelines.orchestration.keys import RANGE_END_TAG, RANGE_START_TAG, asset_key
from jdebill_pipelines.steps.runtime import Runtime
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.alerts.receivers import Endpoint, MailServer
from jdebill_pipelines_tests.support.world import NAME, World

SENSORS = ("alerts_of_finished_runs", "alerts_of_failed_runs", "alerts_of_canceled_runs", "alerts_sender")


@dataclass
class Watch:
    """The code location of a world, its Dagster instance, and both channels of its alerts.

    Attributes:
        said: what the sender said on its last tick.
    """

    world: World
    runtime: Runtime
    instance: dg.DagsterInstance
    endpoint: Endpoint
    mail: MailServer
    said: str = ""
    cursors: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository = build_defs(self.runtime.connections, runtime=self.runtime).get_repository_def()

    @property
    def store(self) -> Store:
        """What the connection has stored."""
        return self.world.store

    def run(
        self,
        job: str = "months",
        *,
        assets: Iterable[str] = (),
        months: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job of the connection over months, by default all, and all its assets; what it raises stays in it."""
        chosen = months or self.world.months
        return self.repository.get_job(f"{NAME}_{job}").execute_in_process(
            instance=self.instance,
            asset_selection=[asset_key(NAME, path) for path in assets] or None,
            tags={RANGE_START_TAG: chosen[0], RANGE_END_TAG: chosen[-1], **(tags or {})},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def tick(self) -> None:
        """What the daemon does every few seconds: evaluate each alert sensor at its cursor, and keep the cursor.

        Raises:
            AssertionError: a sensor told Dagster of an error.
        """
        for name in SENSORS:
            sensor = self.repository.get_sensor_def(f"{NAME}_{name}")
            context = dg.build_sensor_context(
                instance=self.instance,
                cursor=self.cursors.get(name),
                repository_name=self.repository.name,
                repository_def=self.repository,
            )
            done = sensor.evaluate_tick(context)
            self.cursors[name] = done.cursor
            assert [r.error for r in done.dagster_run_reactions or () if r.error] == [], name
            self.said = done.skip_message or ""

    def pass_backoff(self) -> None:
        """What waits for its next attempt may be sent now."""
        self._change("UPDATE jdebill.alert_outbox SET not_before = now() WHERE state = 'pending'")

    def pass_windows(self) -> None:
        """Every window is over."""
        self._change("UPDATE jdebill.alert_windows SET until = now()")

    def posted(self) -> list[str]:
        """Subjects that the endpoint got, in order."""
        return [str(post["title"]).removeprefix(f"[{NAME}] ") for post in self.endpoint.got]

    def mailed(self) -> list[str]:
        """Subjects that the mailbox got, in order."""
        return [str(message["Subject"]).removeprefix(f"[{NAME}] ") for message in self.mail.got]

    def text(self, subject: str) -> str:
        """The text of the only alert of a subject, the same in both channels."""
        (post,) = [p for p in self.endpoint.got if p["title"] == f"[{NAME}] {subject}"]
        (mailed,) = [t for m, t in zip(self.mail.got, self.mail.texts(), strict=True) if m["Subject"] == post["title"]]
        assert mailed.split() == post["message"].split()
        return str(post["message"])

    def suppressed(self) -> dict[str, int]:
        """How many alerts were not sent, by cause, of the windows that are open."""
        return {window.fingerprint: window.suppressed for window in self.store.alerts.windows()}

    def _change(self, statement: str) -> None:
        with self.world.engine.begin() as tx:
            tx.execute(sa.text(statement))

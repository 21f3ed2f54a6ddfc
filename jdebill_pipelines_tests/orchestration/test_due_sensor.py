"""From a change in JD Edwards or BILL to a run and back: poll, due sensor, run, and the sensors that settle it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from jdebill_pipelines.orchestration.keys import DUE_TAG, MODE_TAG, RANGE_END_TAG, RANGE_START_TAG, SINCE_TAG, asset_key
from jdebill_pipelines.store.due import MAX_ATTEMPTS
from jdebill_pipelines_tests.orchestration.ticks import Ticks, ticks_of
from jdebill_pipelines_tests.support.edits import simple_vouchers, voucher_amount
from jdebill_pipelines_tests.support.world import World

NOW = datetime(2025, 6, 27, 12, tzinfo=UTC)
# The login may not read payments: not tried again within a run.
FORBIDDEN = {"fault": "status", "status": 403, "code": "BDC_1145", "route": "v3/payments", "times": 0}


@pytest.fixture
def ticks(world: World) -> Iterator[Ticks]:
    """The ticks of the connection; the sensors of ended runs have begun to look."""
    with ticks_of(world) as made:
        for sensor in ("due_done", "due_failed", "due_canceled"):
            assert made.sensor(sensor).reacted == []
        yield made


def due(world: World) -> list[dict[str, Any]]:
    """The entries of what is due, whatever their state."""
    sql = (
        "SELECT flow, state, attempts, periods, entities, last_error, not_before > clock_timestamp() AS waits "
        "FROM jdebill.due ORDER BY id"
    )
    with world.engine.connect() as tx:
        return [dict(row) for row in tx.execute(sa.text(sql)).mappings()]


def tamper(world: World, assignment: str) -> None:
    """Let time pass for what is due."""
    with world.engine.begin() as tx:
        tx.execute(sa.text(f"UPDATE jdebill.due SET {assignment}"))


def months(request: dg.RunRequest) -> tuple[str, str]:
    """First and last month of a run that was asked for."""
    return request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]


def test_what_changed_in_jde_becomes_one_run_and_then_nothing_is_due(world: World, ticks: Ticks) -> None:
    """The poll of an empty installation makes all months due as one run; after it only the month of a change is.

    A tick between request and start asks for nothing; the watermark follows each poll.
    """
    world.configure(documents="vouchers")
    tick = ticks.sensor("due")
    assert (tick.requests, tick.said) == ([], "nothing is due")

    (poll,) = ticks.schedule("poll", NOW).requests
    assert ticks.run(poll, "poll").success
    assert [(d["flow"], d["state"]) for d in due(world)] == [("jde", "pending")]
    first_mark = world.store.due.watermark("jde")
    assert first_mark is not None

    (request,) = ticks.sensor("due").requests
    assert request.job_name == "acme_months"
    assert months(request) == (world.months[0], world.months[-1])
    assert (request.tags[MODE_TAG], request.tags[DUE_TAG]) == ("delta", request.run_key)
    assert SINCE_TAG in request.tags
    tick = ticks.sensor("due")
    assert (tick.requests, tick.said) == ([], "nothing is due")

    run = ticks.run(request)
    assert run.success
    assert [d["state"] for d in due(world)] == ["claimed"]
    assert ticks.sensor("due_failed").reacted == []
    assert ticks.sensor("due_done").reacted == [run.run_id]
    assert ticks.sensor("due_done").reacted == []
    assert [d["state"] for d in due(world)] == ["done"]
    record = world.store.runs.get(run.run_id)
    assert record is not None
    assert (record.mode, record.flow, record.periods) == ("delta", "acme_months", list(world.months))
    bills = world.links("bill")
    assert bills
    assert sorted(bills.values()) == sorted(bill["id"] for bill in world.bill("bill"))

    assert ticks.run_job("acme_poll").success
    tick = ticks.sensor("due")
    assert (tick.requests, tick.said) == ([], "nothing is due")
    second_mark = world.store.due.watermark("jde")
    assert second_mark is not None
    assert second_mark > first_mark

    voucher = simple_vouchers(world)[0]
    voucher_amount(world, 0)
    assert ticks.run_job("acme_poll").success
    (request,) = ticks.sensor("due").requests
    month = f"{voucher['DGJ'][:4]}-{voucher['DGJ'][4:6]}"
    assert months(request) == (month, month)
    assert request.tags[SINCE_TAG] == second_mark


def test_a_failed_run_gives_its_work_back_until_it_is_given_up_loudly(world: World, ticks: Ticks) -> None:
    """BILL lists no payments: attempt counted, the reason kept, backed off, asked for again under another run key.

    The last attempt gives it up: nothing asks again by itself, and one alert names the flow and the reason. At a
    person's word it is due again, the same months.
    """
    world.store.due.record("payments", periods=["2025-06"], entities=["stp1"], source="webhook")
    world.sandbox.control_bill("faults", FORBIDDEN)
    (first,) = ticks.sensor("due").requests
    run = ticks.run(first)
    assert not run.success
    assert ticks.sensor("due_done").reacted == []
    tick = ticks.sensor("due_failed")
    assert (tick.reacted, tick.errors) == ([run.run_id], [])
    (entry,) = due(world)
    assert (entry["state"], entry["attempts"], entry["waits"]) == ("pending", 1, True)
    assert entry["periods"] == ["2025-06"]
    assert "BDC_1145" in entry["last_error"]
    assert ticks.sensor("due").said == "nothing is due"
    assert ticks.sensor("alerts_sender").requests == []
    assert world.store.alerts.outbox() == []

    tamper(world, f"not_before = now(), attempts = {MAX_ATTEMPTS - 1}")
    (second,) = ticks.sensor("due").requests
    assert second.run_key != first.run_key
    assert not ticks.run(second).success
    ticks.sensor("due_failed")
    assert [(d["state"], d["attempts"]) for d in due(world)] == [("given_up", MAX_ATTEMPTS)]
    assert ticks.sensor("due").said == "nothing is due"
    for _ in range(2):
        ticks.sensor("alerts_sender")
    (alert,) = world.store.alerts.outbox()
    assert alert["fingerprint"] == "due:payments"
    assert alert["subject"] == f"given up after {MAX_ATTEMPTS} attempts: payments"
    assert "BDC_1145" in str(alert["body"])
    assert "2025-06" in str(alert["body"])

    (given_up,) = world.store.due.given_up()
    assert world.store.due.retry(given_up.ids) == 1
    (third,) = ticks.sensor("due").requests
    assert months(third) == months(first) == ("2025-06", "2025-06")


def test_a_run_that_never_came_to_a_step_loses_nothing(world: World, ticks: Ticks) -> None:
    """One run fails while it is started, another is never heard of: the work of both is asked for again."""
    world.store.due.record("payments", entities=["stp1"], source="webhook")
    (request,) = ticks.sensor("due").requests
    assert request.job_name == "acme_payments"
    job = ticks.defs.resolve_job_def("acme_payments")
    run = ticks.instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTING)
    ticks.instance.report_run_failed(run, "the worker did not start")
    assert ticks.sensor("due_failed").reacted == [run.run_id]
    (entry,) = due(world)
    assert (entry["state"], entry["attempts"], entry["last_error"]) == ("pending", 1, "the worker did not start")

    tamper(world, "not_before = now()")
    (lost,) = ticks.sensor("due").requests
    assert ticks.sensor("due").said == "nothing is due"
    tamper(world, "held_until = now()")
    (again,) = ticks.sensor("due").requests
    assert len({request.run_key, lost.run_key, again.run_key}) == 3


def test_a_run_that_a_person_canceled_gives_its_work_back(world: World, ticks: Ticks) -> None:
    """Canceled in the UI while it runs, or before it began: the payments are due again, after a pause; none is lost."""
    world.store.due.record("payments", entities=["stp1"], source="webhook")
    (request,) = ticks.sensor("due").requests
    job = ticks.defs.resolve_job_def("acme_payments")
    run = ticks.instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
    ticks.instance.report_run_canceled(run)
    assert ticks.sensor("due_failed").reacted == []
    assert ticks.sensor("due_canceled").reacted == [run.run_id]
    (entry,) = due(world)
    assert (entry["state"], entry["attempts"], entry["waits"]) == ("pending", 1, True)
    assert (entry["entities"], entry["last_error"]) == (["stp1"], "the run was canceled")
    assert ticks.sensor("due").said == "nothing is due"
    tamper(world, "not_before = now()")
    (again,) = ticks.sensor("due").requests
    assert again.run_key != request.run_key


def test_work_waits_for_the_runs_under_way_of_its_own_kind(world: World, ticks: Ticks) -> None:
    """A months run under way holds back the next, not payments; of those two may run; a backfill holds back nothing."""
    store, instance = world.store, ticks.instance

    def started(job: str, **tags: str) -> dg.DagsterRun:
        return instance.create_run_for_job(
            ticks.defs.resolve_job_def(job), tags=tags, status=dg.DagsterRunStatus.STARTED
        )

    started("acme_months", **{"dagster/backfill": "abc"})
    store.due.record("jde", periods=["2025-06"], source="schedule")
    (months_run,) = ticks.sensor("due").requests
    under_way = started("acme_months", **months_run.tags)
    store.due.record("bill", periods=["2025-05"], source="webhook")
    tick = ticks.sensor("due")
    assert (tick.requests, tick.said) == ([], "waits for the runs that are under way")
    for number in range(3):
        store.due.record("payments", entities=[f"stp{number}"], source="webhook")
        asked = ticks.sensor("due").requests
        assert [request.job_name for request in asked] == ["acme_payments"] * (number < 2)
        for request in asked:
            started("acme_payments", **request.tags)
    instance.report_run_canceled(under_way)
    (request,) = ticks.sensor("due").requests
    assert (request.job_name, months(request)) == ("acme_months", ("2025-05", "2025-05"))


def test_a_payment_from_before_the_start_holds_nothing_up(world: World, ticks: Ticks) -> None:
    """BILL tells of a payment processed before the connection's first month: Dagster has no such month.

    The run covers the months that there are, so Dagster starts it, and BILL's payments are read.
    """
    world.configure(start="2025-06")
    with ticks_of(world) as later:
        world.store.due.record("payments", entities=["stp-unknown"], source="webhook")
        world.store.due.record("payments", periods=["2025-03", "2025-06"], source="recovery")
        world.store.due.record("jde", periods=["2025-03"], source="schedule")
        payments, others = later.sensor("due").requests
        assert months(payments) == months(others) == ("2025-06", "2025-06")
        made = later.run(payments).get_asset_materialization_events()
        assert [(m.partition, m.asset_key) for m in made][:1] == [("2025-06", asset_key("acme", "bill/payments"))]
        assert [(d["flow"], d["state"]) for d in due(world) if d["flow"] == "payments"] == [("payments", "claimed")] * 2
        world.store.due.record("payments", periods=["2025-03"], source="recovery")
        (request,) = later.sensor("due").requests
        assert months(request)[0] >= "2025-06"

"""`jdebill demo --once`: from nothing to bills and back to JDE's ledger, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

CODE = "from jdebill_pipelines.cli.main import main; main()"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demo printed, run in an empty folder without any variable of ours."""
    folder = tmp_path_factory.mktemp("demo")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("JDEBILL_", "DAGSTER_HOME"))}
    done = subprocess.run(
        [sys.executable, "-c", CODE, "demo", "--once", "--size", "tiny", "--json"],
        cwd=folder,
        env=bare,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout, parse_float=Decimal)
    found["home"] = folder / ".jdebill" / "demo"
    return found


def test_documents_and_suppliers_arrive(demo: dict[str, Any]) -> None:
    """Both runs end well; the first one writes vendors, bills and a vendor credit."""
    first = demo["first"]
    assert first["succeeded"] is demo["second"]["succeeded"] is True
    assert first["assets"]["bill/vendors"]["counts"]["created"] >= 8
    assert first["assets"]["bill/bills"]["counts"]["created"] >= 15
    assert {a["outcome"] for a in demo["awkward"]} == {"bill", "credit", "vendor", "held", "not due"}


def test_the_second_run_writes_nothing(demo: dict[str, Any]) -> None:
    """With nothing changed there is nothing to create or update."""
    for asset in ("bill/vendors", "bill/bills"):
        counts = demo["second"]["assets"][asset]["counts"]
        assert counts.get("created", 0) == counts.get("updated", 0) == 0, asset


def test_awkward_documents_come_as_they_should(demo: dict[str, Any]) -> None:
    """Each one in BILL, held or not due, as the generated company says."""
    wrong = {a["case"]: (a["outcome"], a["reason"]) for a in demo["awkward"] if not a["as_expected"]}
    assert wrong == {}
    assert all(a["reason"] for a in demo["awkward"])


def test_the_clerk_pays_in_every_way(demo: dict[str, Any]) -> None:
    """Whole, in part, several at once, with a credit and one that fails: each way occurs, in three currencies."""
    ways = {way["way"]: way for way in demo["way_back"]["clerk"]}
    assert all(way["payments"] for way in ways.values())
    assert set(ways) >= {"whole", "in part", "with a vendor credit", "failed for lack of funds"}
    together = ways["several bills in one payment"]
    assert together["bills"] > together["payments"]
    assert {currency for way in ways.values() for currency in way["totals"]} == {"USD", "EUR", "JPY"}


def test_webhooks_make_the_payments_return(demo: dict[str, Any]) -> None:
    """Every signed event is in the inbox; every bill that was paid is posted once and read back without a difference.

    The failed payment is the only one that is not posted.
    """
    back = demo["way_back"]
    for events in back["webhooks"].values():
        assert events["sent"] == events["stored"] > 0
        assert events["failed"] == events["refused"] == 0
    bills = sum(way["bills"] for way in back["clerk"] if not way["way"].startswith("failed"))
    posted = back["posted"]["assets"]["jde/postings"]["counts"]
    assert posted["posted"] == bills
    assert "differ in JD Edwards" not in posted
    assert [check["check"] for check in back["posted"]["failed_checks"]] == []


def test_a_void_is_taken_back(demo: dict[str, Any]) -> None:
    """The voucher is open, paid, and after the void open again; only that payment is reversed."""
    back = demo["way_back"]
    before, paid, after = back["void"]["moments"]
    assert paid["open"] == 0 < before["open"] == after["open"]
    assert (paid["state"], after["state"]) == ("PROCESSED", "VOIDED")
    assert paid["paid"] - before["paid"] == before["open"]
    assert back["void"]["taken_back"] is True
    counts = back["reversed"]["assets"]["jde/postings"]["counts"]
    assert (counts["posted"], counts["reversed"]) == (0, 1)


def test_both_ledgers_are_equal(demo: dict[str, Any]) -> None:
    """In every currency JDE's payments and bank account show what BILL's payments do, for each supplier."""
    back = demo["way_back"]
    assert {line["currency"] for line in back["ledger"]} == {"USD", "EUR", "JPY"}
    for line in back["ledger"]:
        assert line["bill"] == line["payments_table"] == line["ledger"] > 0, line
        assert (line["differing"], line["equal"]) == ([], True)
    paid = sum(way["totals"].get("USD", 0) for way in back["clerk"] if not way["way"].startswith("failed"))
    voided = back["void"]["moments"][0]["open"]
    assert next(line["bill"] for line in back["ledger"] if line["currency"] == "USD") == paid - voided
    assert back["equal"] is True


def test_nothing_is_left_running(demo: dict[str, Any]) -> None:
    """The embedded database of the demo is down; its files stay to be looked at."""
    home: Path = demo["home"]
    assert (home / "company" / "F0411.csv").exists()
    assert not (home / "postgres" / "postmaster.pid").exists()

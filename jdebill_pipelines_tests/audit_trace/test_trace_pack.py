"""The chains of a report's exceptions in its pack."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from jdebill_pipelines_tests.audit_trace.conftest import Told
from jdebill_pipelines_tests.support.commands import Command
from jdebill_pipelines_tests.support.world import NAME

pytestmark = [pytest.mark.timeout(600)]


class Links(HTMLParser):
    """Addresses and anchors of a page, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: dict[str, str] = {}
        self.anchors: set[str] = set()
        self.text = ""
        self._open = ""
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember where a link leads, and what may be led to."""
        given = dict(attrs)
        self._open = given.get("href") or "" if tag == "a" else ""
        if given.get("id"):
            self.anchors.add(str(given["id"]))

    def handle_data(self, data: str) -> None:
        """Remember what a link is called."""
        if self._open.startswith("trace.html"):
            self.addresses[data] = self._open
        self.text += f" {data}"


def test_the_keys_of_exceptions_lead_to_the_chain_in_the_pack(
    told: Told, audit: Command, trace: Command, late: tuple[str, str], tmp_path: Path
) -> None:
    """JDE's copy lacks a posted payment, which is an exception: its keys are links, and the page has its chain."""
    payment, jde_payment = late
    folder = tmp_path / "pack"
    assert audit("report", NAME, "--period", told.world.months[-1], "--recompute", "--out", str(folder)).code == 1
    report, traces = Links(folder / "report.html"), Links(folder / "trace.html")
    assert payment in report.addresses
    assert report.addresses.keys() > {payment}
    for address in [a for a in report.addresses.values() if "#" in a]:
        page, _, anchor = address.partition("#")
        assert (page, anchor in traces.anchors) == ("trace.html", True), address
    found = trace(payment, "--json").json
    words = " ".join(traces.text.split())
    for node in found["nodes"]:
        assert node["title"] in words
    posting = next(node for node in found["nodes"] if node["kind"] == "posting")
    assert f"Because {posting['facts']['because']}" in words
    (sent,) = [event for event in posting["events"] if event["what"] == "post confirmed"]
    assert f"by test (run {sent['run_id'][:8]}, journal entry {sent['journal']})" in words
    assert audit("verify", str(folder)).code == 0
    assert jde_payment.removeprefix("PYID-") in words

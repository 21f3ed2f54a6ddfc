"""A headless Chromium, and the Dagster page of a demo."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Nothing but the page is asked for: a closed network must not slow the browser down.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 180
SHOTS = Path(os.environ.get("JDEBILL_SHOTS", "test-output"))


@pytest.fixture(scope="package")
def dagster_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the Dagster page of `jdebill demo --size tiny`, which has just run and stays up."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install the distribution's package 'chromium'")
    folder = tmp_path_factory.mktemp("ui")
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("JDEBILL_", "DAGSTER_HOME"))}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from jdebill_pipelines.cli.main import main; main()",
            "demo",
            "--size",
            "tiny",
            "--port",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**bare, "PYTHONUNBUFFERED": "1"},
        cwd=folder,
        start_new_session=True,
    )
    watch = threading.Timer(START_SECONDS, process.kill)
    watch.start()
    said: list[str] = []
    drain: threading.Thread | None = None
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"Dagster UI\s+(http://\S+)", line):
                watch.cancel()
                drain = threading.Thread(target=process.stdout.read)
                drain.start()
                yield found[1]
                break
        else:
            pytest.fail("the demo did not come up:\n" + "".join(said[-40:]))
    finally:
        watch.cancel()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        if drain is not None:
            drain.join(30)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; there can be one per process."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install the distribution's package 'chromium'")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def page(dagster_page: str, browser: Browser) -> Iterator[Page]:
    """A browser page on the Dagster of the demo, which shows no greeting in front of it."""
    context = browser.new_context(viewport={"width": 1800, "height": 1000}, base_url=dagster_page)
    page = context.new_page()
    yield page
    context.close()


def shot(page: Page, name: str) -> Path:
    """Keep a picture of the page for people to look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=str(path))
    return path

"""An AIS Server per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jdebill_pipelines_tests.jde.fake_ais import FakeAis, running


@pytest.fixture
def ais() -> Iterator[FakeAis]:
    """A fake AIS Server on a free port."""
    with running() as server:
        yield server

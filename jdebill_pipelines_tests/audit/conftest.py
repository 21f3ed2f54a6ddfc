"""Both simulators as processes, once per test process, and a connection between them per test."""

from __future__ import annotations

from jdebill_pipelines_tests.payments.conftest import connection, loop, servers

__all__ = ["connection", "loop", "servers"]

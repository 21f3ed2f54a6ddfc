"""A month with many payments: the pack's memory does not grow with the rows, and nothing is left out of the CSV."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, resource, sys
from pathlib import Path
from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.journal import Head
from jdebill_pipelines_tests.audit_pack import synthetic
told = []
write_pack(synthetic.month(int(sys.argv[1])), Path(sys.argv[2]), vault=Vault(bytes(32)), journal=Head(0, "0" * 64),
           packed_by="1", progress=lambda what, done, total: told.append([what, done, total]))
print(json.dumps({"kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "told": told}))
"""
ROOT = Path(__file__).resolve().parents[2]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Six times the rows beyond what the page holds: less than 15 MB more, all rows in the CSV, progress told."""
    found = {}
    for count in (4_000, 24_000):
        command = [sys.executable, "-c", PROGRAM, str(count), str(tmp_path / str(count))]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=120)
        found[count] = json.loads(done.stdout)
    assert found[24_000]["kilobytes"] - found[4_000]["kilobytes"] < 15_000
    # A carriage return and a line feed within a text make more lines than rows, never fewer.
    with (tmp_path / "24000" / "csv" / "payment_trace.csv").open("rb") as file:
        assert sum(line.startswith(b"stp01") for line in file) == 24_000
    assert ["payment_trace", 20_000, 24_000] in found[24_000]["told"]
    sizes = [(tmp_path / str(count) / "report.html").stat().st_size for count in (4_000, 24_000)]
    assert sizes[1] < sizes[0] * 1.3

"""dlt's `rest_api` source over the bills, one parallelized resource per window, into Parquet files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as parquet
from dlt.sources.rest_api import rest_api_source

from jdebill_pipelines_tests.bench.child import Watch, run


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Extract, normalize and load; imports are not counted."""
    with tempfile.TemporaryDirectory(prefix="bench-dlt-") as folder:
        with watch.running():
            source = rest_api_source(
                {
                    "client": {"base_url": spec["url"], "headers": spec["headers"]},
                    "resources": [
                        {
                            "name": f"bills_{number}",
                            "table_name": "bills",
                            "endpoint": {
                                "path": "v3/bills",
                                "params": {"max": 100, "sort": "createdTime:asc", "filters": window},
                                "data_selector": "results",
                                "paginator": {"type": "cursor", "cursor_path": "nextPage", "cursor_param": "page"},
                            },
                        }
                        for number, window in enumerate(spec["windows"])
                    ],
                }
            )
            for resource in source.resources.values():
                resource.parallelize()
            pipeline = dlt.pipeline(
                "bench_bills",
                destination=dlt.destinations.filesystem((Path(folder) / "out").as_uri()),
                dataset_name="bench_dlt",
                pipelines_dir=folder,
            )
            info = pipeline.run(source, loader_file_format="parquet", write_disposition="replace")
            info.raise_on_failed_jobs()
        files = (Path(folder) / "out" / "bench_dlt" / "bills").glob("*.parquet")
        rows = sum(parquet.read_metadata(str(path)).num_rows for path in files)
    return {"rows": rows}


if __name__ == "__main__":
    run(measured)

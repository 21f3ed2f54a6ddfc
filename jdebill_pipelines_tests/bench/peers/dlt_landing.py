"""dlt's `rest_api` source over the same table, into PostgreSQL or Parquet files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as parquet
import requests
from dlt.sources.rest_api import rest_api_source

from jdebill_pipelines_tests.bench.child import Watch, run


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Extract, normalize and load; imports are not counted."""
    with tempfile.TemporaryDirectory(prefix="bench-dlt-") as folder:
        with watch.running():
            login = {"username": spec["username"], "password": spec["password"], "deviceName": "dlt"}
            token = requests.post(f"{spec['url']}/v2/tokenrequest", json=login).json()["userInfo"]["token"]
            source = rest_api_source(
                {
                    "client": {
                        "base_url": spec["url"],
                        "headers": {"jde-AIS-Auth": token, "jde-AIS-Auth-Device": "dlt"},
                    },
                    "resources": [
                        {
                            "name": "f0411",
                            "endpoint": {
                                "path": "v2/dataservice",
                                "method": "POST",
                                "json": spec["body"],
                                "data_selector": "fs_DATABROWSE_F0411.data.gridData.rowset",
                                "paginator": {"type": "json_link", "next_url_path": "links[0].href"},
                            },
                        }
                    ],
                }
            )
            if spec["destination"] == "postgres":
                destination = dlt.destinations.postgres(spec["database_url"])
                writer = spec.get("loader_file_format")
            else:
                destination = dlt.destinations.filesystem((Path(folder) / "out").as_uri())
                writer = "parquet"
            pipeline = dlt.pipeline(
                "bench_f0411", destination=destination, dataset_name="bench_dlt", pipelines_dir=folder, dev_mode=False
            )
            info = pipeline.run(source, loader_file_format=writer, write_disposition="replace")
            info.raise_on_failed_jobs()
        rows = _landed(pipeline, Path(folder) / "out")
    return {"rows": rows}


def _landed(pipeline: Any, folder: Path) -> int:
    files = [str(path) for path in folder.glob("bench_dlt/f0411/*.parquet")]
    if files:
        return int(sum(parquet.read_metadata(path).num_rows for path in files))
    with pipeline.sql_client() as client:
        return int(client.execute_sql("SELECT count(*) FROM f0411")[0][0])


if __name__ == "__main__":
    run(measured)

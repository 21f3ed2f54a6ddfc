"""airbyte-cdk's declarative source over the bills, one partition per window, as its record messages (JSON lines)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from jdebill_pipelines_tests.bench.child import Watch, run

_CATALOG = {
    "streams": [
        {
            "stream": {"name": "bills", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


def _manifest(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["bills"]},
        # One worker more than partitions: the CDK keeps one for itself.
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": len(spec["windows"]) + 1},
        "spec": {"type": "Spec", "connection_specification": {"type": "object"}},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "bills",
                "primary_key": "id",
                "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {
                        "type": "HttpRequester",
                        "url_base": spec["url"],
                        "path": "/v3/bills",
                        "http_method": "GET",
                        "request_headers": spec["headers"],
                        "request_parameters": {"max": "100", "sort": "createdTime:asc"},
                    },
                    "record_selector": {
                        "type": "RecordSelector",
                        "extractor": {"type": "DpathExtractor", "field_path": ["results"]},
                    },
                    "paginator": {
                        "type": "DefaultPaginator",
                        "page_token_option": {
                            "type": "RequestOption",
                            "inject_into": "request_parameter",
                            "field_name": "page",
                        },
                        "pagination_strategy": {
                            "type": "CursorPagination",
                            "cursor_value": "{{ response.get('nextPage') }}",
                            "stop_condition": "{{ not response.get('nextPage') }}",
                        },
                    },
                    "partition_router": {
                        "type": "ListPartitionRouter",
                        "values": spec["windows"],
                        "cursor_field": "window",
                        "request_option": {
                            "type": "RequestOption",
                            "inject_into": "request_parameter",
                            "field_name": "filters",
                        },
                    },
                },
            }
        ],
    }


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Read all records as the command line would, without its process start and imports."""
    rows = 0
    with tempfile.TemporaryDirectory(prefix="bench-airbyte-") as folder:
        config, catalog, out = (Path(folder) / name for name in ("config.json", "catalog.json", "out.jsonl"))
        config.write_bytes(orjson.dumps({"__injected_declarative_manifest": _manifest(spec)}))
        catalog.write_bytes(orjson.dumps(_CATALOG))
        with watch.running(), out.open("w", encoding="utf-8") as file:
            settings = orjson.loads(config.read_bytes())
            source = ConcurrentDeclarativeSource(
                catalog=ConfiguredAirbyteCatalogSerializer.load(_CATALOG),
                config=settings,
                state=[],
                source_config=settings["__injected_declarative_manifest"],
            )
            arguments = AirbyteEntrypoint.parse_args(["read", "--config", str(config), "--catalog", str(catalog)])
            for message in AirbyteEntrypoint(source).run(arguments):
                file.write(message + "\n")
        with out.open(encoding="utf-8") as file:
            rows = sum('"type":"RECORD"' in line for line in file)
    return {"rows": rows}


if __name__ == "__main__":
    run(measured)

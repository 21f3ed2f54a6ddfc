"""The floor: requests and json, page after page, decoded and thrown away."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import requests

from jdebill_pipelines_tests.bench.child import Watch, run


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Read the whole table over a cursor; nothing is checked, converted or stored."""
    rows, total = 0, Decimal(0)
    with watch.running():
        session = requests.Session()
        login = {"username": spec["username"], "password": spec["password"], "deviceName": "floor"}
        session.headers["jde-AIS-Auth"] = session.post(f"{spec['url']}/v2/tokenrequest", json=login).json()["userInfo"][
            "token"
        ]
        session.headers["jde-AIS-Auth-Device"] = "floor"
        answer = session.post(f"{spec['url']}/v2/dataservice", json=spec["body"]).json()
        while True:
            rowset = answer["fs_DATABROWSE_F0411"]["data"]["gridData"]["rowset"]
            rows += len(rowset)
            total += sum(Decimal(str(row["F0411_AG"])) for row in rowset)
            if not answer.get("links"):
                break
            answer = session.get(answer["links"][0]["href"]).json()
    return {"rows": rows, "total": str(total)}


if __name__ == "__main__":
    run(measured)

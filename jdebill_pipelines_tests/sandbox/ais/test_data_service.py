"""The data service: values, columns, conditions, order, pages and cursors, over a real socket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from jdebill_pipelines_tests.sandbox.ais.conftest import Ais, browse, by, rows_of, summary_of, where

KEY = "DOC DCT KCO SFX SFXE"


def expected(ais: Ais, table: str) -> list[dict[str, str]]:
    """The generated rows as text."""
    return ais.company.text_rows(table)


def test_grid_data_shows_exact_values_without_prefix_or_implied_decimals(ais: Ais) -> None:
    """Names are TABLE_ALIAS, dates YYYYMMDD or null, amounts numbers with their own digits, whole numbers ints."""
    rows = ais.browse("F0411", columns=f"{KEY} AG DIVJ HDGJ VINV UPMT", aggregation=by("F0411", *KEY.split()))
    given = expected(ais, "F0411")
    assert [row["F0411_DOC"] for row in rows] == [int(row["DOC"]) for row in given]
    for row, source in zip(rows, given, strict=True):
        assert list(row) == [f"F0411_{item}" for item in f"{KEY} AG DIVJ HDGJ VINV UPMT".split()]
        assert row["F0411_AG"] == Decimal(source["AG"])
        assert isinstance(row["F0411_AG"], int) == (Decimal(source["AG"]) % 1 == 0)
        assert row["F0411_DIVJ"] == source["DIVJ"]
        assert row["F0411_HDGJ"] is None
        assert row["F0411_VINV"] == source["VINV"]
        assert type(row["F0411_UPMT"]) is int
    assert sum(row["F0411_AG"] for row in rows) == sum(Decimal(row["AG"]) for row in given)


def test_envelope_of_a_browse(ais: Ais) -> None:
    """The answer has the members that the Data Browser gives, and no link when nothing is left."""
    answer = ais.ok("POST", "/v2/dataservice", browse("F0010", columns="CO NAME CRCD"))
    data = answer["fs_DATABROWSE_F0010"]
    grid = data["data"]["gridData"]
    assert set(data) == {"title", "data", "errors", "warnings"}
    assert grid["fullGridId"] == str(grid["id"])
    assert list(grid["columns"]) == ["F0010_CO", "F0010_NAME", "F0010_CRCD"]
    assert grid["summary"] == {"records": 2, "moreRecords": False}
    assert {k: answer[k] for k in ("stackId", "stateId", "rid", "currentApp", "sysErrors")} == {
        "stackId": 0, "stateId": 0, "rid": "", "currentApp": "DATABROWSE_F0010", "sysErrors": [],
    }  # fmt: skip
    assert answer["timeStamp"].startswith("2026-11-20:12.")
    assert "links" not in answer


def test_without_a_page_size_a_hundred_rows_come_and_only_the_summary_tells(ais: Ais) -> None:
    """The default truncates silently; "No Max" in any case gives all; without findOnEntry nothing is read."""
    body = browse("F0901", columns="AID")
    del body["maxPageSize"]
    answer = ais.ok("POST", "/v2/dataservice", body)
    assert (len(rows_of(answer)), summary_of(answer)) == (100, {"records": 100, "moreRecords": True})
    assert "links" not in answer
    total = len(expected(ais, "F0901"))
    assert len(ais.browse("F0901", columns="AID", maxPageSize="no max")) == total > 100
    assert ais.browse("F0901", columns="AID", findOnEntry="false") == []


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        (where("F0411.AN8", "EQUAL", "{an8}"), lambda r, v: r["AN8"] == v),
        (where("F0411.AN8", "NOT_EQUAL", "{an8}"), lambda r, v: r["AN8"] != v),
        (where("AN8", "LESS", "{an8}"), lambda r, v: int(r["AN8"]) < int(v)),
        (where("F0411.AN8", "LESS_EQUAL", "{an8}"), lambda r, v: int(r["AN8"]) <= int(v)),
        (where("F0411.AN8", "GREATER", "{an8}"), lambda r, v: int(r["AN8"]) > int(v)),
        (where("F0411.AN8", "GREATER_EQUAL", "{an8}"), lambda r, v: int(r["AN8"]) >= int(v)),
        (where("F0411.AG", "BETWEEN", "100.50", "2000"), lambda r, _: Decimal("100.50") <= Decimal(r["AG"]) <= 2000),
        (where("F0411.PST", "LIST", "H", "P"), lambda r, _: r["PST"] in "HP"),
        (where("F0411.VINV", "STR_START_WITH", "INV"), lambda r, _: r["VINV"].startswith("INV")),
        (where("F0411.VINV", "STR_END_WITH", "1"), lambda r, _: r["VINV"].endswith("1")),
        (where("F0411.VINV", "STR_CONTAIN", "-0"), lambda r, _: "-0" in r["VINV"]),
        (where("F0411.RMK", "STR_BLANK"), lambda r, _: not r["RMK"]),
        (where("F0411.RMK", "STR_NOT_BLANK"), lambda r, _: bool(r["RMK"])),
        (where("F0411.VOD", "EQUAL", " "), lambda r, _: not r["VOD"]),
        (where("F0411.DGJ", "GREATER_EQUAL", "10/01/2026"), lambda r, _: r["DGJ"] >= "20261001"),
        (where("F0411.DGJ", "LESS", "60", special="TODAY_MINUS_DAY"), lambda r, _: r["DGJ"] < "20260921"),
        (where("F0411.DGJ", "GREATER", "2", special="TODAY_MINUS_MONTH"), lambda r, _: r["DGJ"] > "20260920"),
        (where("F0411.MCU", "EQUAL", "110"), lambda r, _: r["MCU"] == "110"),
        (where("F0411.MCU", "EQUAL", "         110"), lambda r, _: r["MCU"] == "110"),
    ],
)
def test_every_operator_chooses_what_it_says(ais: Ais, condition: dict[str, Any], test: Any) -> None:
    """Each of the thirteen operators and the special values, against a plain scan of the generated rows."""
    given = expected(ais, "F0411")
    an8 = sorted(row["AN8"] for row in given)[len(given) // 2]
    values = [{**value, "content": value["content"].replace("{an8}", an8)} for value in condition["value"]]
    rows = ais.browse("F0411", {**condition, "value": values}, columns=KEY)
    found = {tuple(str(row[f"F0411_{item}"]) for item in KEY.split()) for row in rows}
    wanted = {tuple(row[item] for item in KEY.split()) for row in given if test(row, an8)}
    assert found == wanted
    assert len(rows) == len(wanted)


def test_conditions_nest(ais: Ais) -> None:
    """matchType joins the conditions of a group, complexQuery joins groups."""
    given = expected(ais, "F0411")
    query = {
        "autoFind": True,
        "matchType": "MATCH_ALL",
        "condition": [where("F0411.DCT", "EQUAL", "PV")],
        "complexQuery": [
            {"andOr": "AND", "query": {"matchType": "MATCH_ANY", "condition": [
                where("F0411.PST", "EQUAL", "H"), where("F0411.AG", "GREATER", "3000")]}},
            {"andOr": "OR", "query": {"condition": [where("F0411.AG", "LESS", "0")]}},
        ],
    }  # fmt: skip
    rows = ais.browse("F0411", columns=KEY, query=query)

    def test(row: dict[str, str]) -> bool:
        return (row["DCT"] == "PV" and (row["PST"] == "H" or Decimal(row["AG"]) > 3000)) or Decimal(row["AG"]) < 0

    assert len(rows) == sum(map(test, given)) > 0


def test_order_is_by_several_columns_both_ways(ais: Ais) -> None:
    """orderBy sits under aggregation; numbers sort as numbers; an old release ignores it."""
    order = {"orderBy": [{"column": "F0411.PST", "direction": "DESC"}, {"column": "F0411.AG", "direction": "ASC"}]}
    rows = ais.browse("F0411", columns="PST AG", aggregation=order)
    assert rows == sorted(rows, key=lambda row: (-ord(row["F0411_PST"]), row["F0411_AG"]))
    ais.switch(order_by=False, unordered="shuffled")
    assert ais.browse("F0411", columns="PST AG", aggregation=order) != rows


def test_pages_follow_a_cursor_behind_an_internal_host(ais: Ais) -> None:
    """Each link names the server's own host, carries the token in clear text, and the last page has none."""
    total = len(expected(ais, "F0911"))
    paged = browse("F0911", columns="DOC JELN LT", maxPageSize="40", enableNextPageProcessing=True,
                   aggregation=by("F0911", "DCT", "DOC", "KCO", "DGJ", "JELN", "LT", "EXTL"))  # fmt: skip
    answer = ais.ok("POST", "/v2/dataservice", paged)
    url = urlsplit(answer["links"][0]["href"])
    query = parse_qs(url.query)
    assert url.netloc == "ais01.example.test:9300"
    assert url.path == "/jderest/v2/dataservice/next"
    assert query["token"] == [ais.headers["jde-AIS-Auth"]]
    assert query["rid"] == [answer["rid"]]
    rows = rows_of(answer)
    while "links" in answer:
        assert summary_of(answer) == {"records": 40, "moreRecords": True}
        answer = ais.follow(answer)
        rows += rows_of(answer)
    assert summary_of(answer)["moreRecords"] is False
    assert len(rows) == total
    assert rows == ais.browse("F0911", columns="DOC JELN LT", aggregation=paged["aggregation"])
    assert ais.control("state")["open_cursors"] == 0


def test_a_cursor_keeps_what_it_read_and_expires(ais: Ais) -> None:
    """Changes between pages are not seen; a result set that is not read in time is HTTP 500 JAS_MSG347."""
    paged = browse("F0101", columns="AN8 ALPH", maxPageSize="3", enableNextPageProcessing=True,
                   aggregation=by("F0101", "AN8"))  # fmt: skip
    before = ais.browse("F0101", columns="AN8 ALPH", aggregation=by("F0101", "AN8"))
    answer = ais.ok("POST", "/v2/dataservice", paged)
    ais.control("tables/F0101", {"AN8": before[4]["F0101_AN8"], "ALPH": "Renamed"})
    second = ais.follow(answer)
    assert rows_of(second) == before[3:6]
    ais.control("clock", {"advance_seconds": 301})
    url = urlsplit(second["links"][0]["href"])
    body = ais.refused(500, "POST", f"{url.path.removeprefix('/jderest')}?{url.query}")
    assert body["sysErrors"][0]["TITLE"].startswith("JAS_MSG347")
    assert rows_of(ais.ok("POST", "/v2/dataservice", paged))[:3] == before[:3]


def test_what_is_wrong_in_a_request_is_refused(ais: Ais) -> None:
    """Prefixed columns, unknown columns, tables and operators, wrong literals and wrong types do not pass."""
    wrong: list[tuple[int, dict[str, Any]]] = [
        (500, browse("F0411", columns="RPAG")),
        (500, browse("F0411", where("F0101.AN8", "EQUAL", "1"))),
        (500, browse("F9999")),
        (500, browse("V0411A", targetType="view")),
        (500, browse("F0411", where("F0411.AN8", "STR_START_WITH", "1"))),
        (500, browse("F0411", where("F0411.AN8", "EQUAL", "12,5"))),
        (500, browse("F0411", where("F0411.AN8", "EQUAL", "1", "2"))),
        (500, browse("F0411", where("F0411.DGJ", "EQUAL", "20261001"))),
        (
            500,
            browse(
                "F0411",
                where("F0411.AG", "EQUAL", special="TODAY") | {"value": [{"content": "", "specialValueId": "TODAY"}]},
            ),
        ),
        (500, browse("F0411", maxPageSize="many")),
        (400, browse("F0411", maxPageSize=500)),
        (400, browse("F0411", where("F0411.AN8", "LIKE", "1"))),
        (400, browse("F0411", dataServiceType="UNION")),
        (400, browse("F0411", colour="blue")),
        (400, browse("F0411", query={"matchType": "ANY", "condition": []})),
    ]
    for status, body in wrong:
        error = ais.refused(status, "POST", "/v2/dataservice", body)
        assert isinstance(error["message"], str), body
        assert error["timeStamp"].endswith("+0000")
    assert ais.refused(400, "POST", "/v2/dataservice", b"{not json")["message"].startswith("Invalid JSON")
    ais.refused(415, "POST", "/v2/dataservice", browse("F0411"), headers={"Content-Type": "text/plain"})


def test_date_literals_follow_a_switch(ais: Ais) -> None:
    """Which literal a date needs is open: user format, YYYYMMDD or ISO; a wrong one is an error or finds nothing."""
    wanted = sum(row["DGJ"] >= "20261001" for row in expected(ais, "F0411"))

    def count(literal: str) -> int:
        return len(ais.browse("F0411", where("F0411.DGJ", "GREATER_EQUAL", literal), columns="DOC"))

    ais.switch(wrong_date_literal="no_rows")
    assert [count(text) for text in ("10/01/2026", "20261001", "2026-10-01")] == [wanted, 0, 0]
    ais.switch(simple_date_format="dd.MM.yyyy")
    assert [count(text) for text in ("01.10.2026", "10/01/2026")] == [wanted, 0]
    ais.switch(date_literal="yyyymmdd")
    assert [count(text) for text in ("20261001", "01.10.2026")] == [wanted, 0]
    ais.switch(date_literal="iso")
    assert [count(text) for text in ("2026-10-01", "20261001")] == [wanted, 0]


def test_rows_may_look_odd(ais: Ais) -> None:
    """Padding, blanks that are spaces or missing, numbers as text: all seen in the field, all by switch."""
    columns = "MCU STYL DL01 PECC UPMJ AN8"
    order = by("F0006", "MCU")
    assert ais.browse("F0006", columns=columns, aggregation=order)[0] == {
        "F0006_MCU": "1", "F0006_STYL": "BS", "F0006_DL01": "Balance Sheet", "F0006_PECC": "",
        "F0006_UPMJ": expected(ais, "F0006")[0]["UPMJ"], "F0006_AN8": 0,
    }  # fmt: skip
    ais.switch(padded_strings=True, numbers_as_text=True)
    row = ais.browse("F0006", columns=columns, aggregation=order)[0]
    assert row["F0006_MCU"] == "           1"
    assert row["F0006_DL01"] == "Balance Sheet".ljust(30)
    assert (row["F0006_PECC"], row["F0006_AN8"]) == (" ", "0")
    ais.switch(padded_strings=False, blank_strings="missing", blank_dates="missing")
    row = ais.browse("F0006", columns=f"{columns} FPDJ", aggregation=order)[0]
    assert "F0006_PECC" not in row
    assert "F0006_FPDJ" not in row
    ais.switch(blank_strings="space", blank_dates="empty", numbers_as_text=False)
    row = ais.browse("F0006", columns=f"{columns} FPDJ", aggregation=order)[0]
    assert (row["F0006_PECC"], row["F0006_FPDJ"]) == (" ", "")


def test_security_hides_rows_columns_and_tables(ais: Ais) -> None:
    """Hidden rows and columns are silent; a table without permission is 403."""
    total = len(expected(ais, "F0411"))
    held = sum(row["PST"] == "H" for row in expected(ais, "F0411"))
    ais.switch(row_security={"F0411": {"PST": ["H"]}}, column_security={"F0411": ["AG"]}, denied_tables=["F0030"])
    rows = ais.browse("F0411", columns="DOC AG")
    assert len(rows) == total - held < total
    assert set(rows[0]) == {"F0411_DOC"}
    assert "Data Browser permission" in ais.refused(403, "POST", "/v2/dataservice", browse("F0030"))["message"]


def test_the_page_size_may_be_capped(ais: Ais) -> None:
    """A server may give fewer rows than asked for; the cursor goes on all the same."""
    ais.switch(max_page_cap=10)
    answer = ais.ok("POST", "/v2/dataservice", browse("F0901", columns="AID", enableNextPageProcessing=True))
    assert summary_of(answer) == {"records": 10, "moreRecords": True}
    assert len(rows_of(ais.follow(answer))) == 10


def test_count_and_aggregation(ais: Ais) -> None:
    """Sums by group, and a count, as client models have them."""
    given = expected(ais, "F0411")
    body = browse("F0411", where("F0411.PST", "EQUAL", "A"), dataServiceType="COUNT")
    assert ais.ok("POST", "/v2/dataservice", body)["ds_F0411"] == {"count": sum(r["PST"] == "A" for r in given)}
    body = browse("F0411", dataServiceType="AGGREGATION")
    body["aggregation"] = {
        "aggregations": [{"column": "F0411.AAP", "aggregation": "SUM"}, {"column": "*", "aggregation": "COUNT"},
                         {"column": "F0411.AN8", "aggregation": "COUNT_DISTINCT"}],
        "groupBy": [{"column": "F0411.PST"}],
        "orderBy": [{"column": "F0411.PST", "direction": "ASC"}],
    }  # fmt: skip
    output = ais.ok("POST", "/v2/dataservice", body)["ds_F0411"]["output"]
    for line in output:
        rows = [row for row in given if row["PST"] == line["groupBy"]["F0411.PST"]]
        assert line["F0411.AAP_SUM"] == sum(Decimal(row["AAP"]) for row in rows)
        assert line["COUNT"] == len(rows)
        assert line["F0411.AN8_COUNT_DISTINCT"] == len({row["AN8"] for row in rows})
    assert [line["groupBy"]["F0411.PST"] for line in output] == sorted({row["PST"] for row in given})


def test_version_one_shows_values_in_the_user_format(ais: Ais) -> None:
    """The v1 path answers with cells; values are formatted in the user's profile, numbers in its decimal mark."""
    ais.switch(simple_date_format="dd/MM/yyyy", decimal_format=",")
    body = browse("F0411", where("F0411.AG", "GREATER", "1000"), columns="AG DIVJ", aggregation=by("F0411", "AG"))
    del body["outputType"]
    answer = ais.ok("POST", "/dataservice", {**body, "enableNextPageProcessing": True, "maxPageSize": "2"})
    assert "links" not in answer
    first = rows_of(answer)[0]
    smallest = min((r for r in expected(ais, "F0411") if Decimal(r["AG"]) > 1000), key=lambda r: Decimal(r["AG"]))
    amount = f"{Decimal(smallest['AG']):,}".replace(",", "_").replace(".", ",").replace("_", ".")
    day = smallest["DIVJ"]
    assert first["rowIndex"] == 0
    assert first["F0411_AG"]["internalValue"] == Decimal(smallest["AG"])
    assert first["F0411_AG"]["value"] == amount.removesuffix(",00")
    assert first["F0411_DIVJ"]["value"] == f"{day[6:]}/{day[4:6]}/{day[:4]}"


def test_get_form(ais: Ais) -> None:
    """Filters, fields, sort and limit on the query string mean the same as the POST form; there is no cursor."""
    path = ("/v2/dataservice/table/F0411?$filter=F0411.PST EQ A&$filter=F0411.AG GT 100&$field=F0411.DOC"
            "&$field=F0411.AG&$sort=F0411.AG DESC&$limit=5")  # fmt: skip
    answer = ais.ok("GET", path)
    posted = ais.browse("F0411", where("F0411.PST", "EQUAL", "A"), where("F0411.AG", "GREATER", "100"),
                        columns="DOC AG", aggregation=by("F0411", "AG", direction="DESC"), maxPageSize="5")  # fmt: skip
    assert rows_of(answer) == posted
    assert "links" not in answer
    recent = ais.ok("GET", "/v2/dataservice/table/F0411?$filter=F0411.DGJ GE 30 TODAY_MINUS_DAY&$limit=500")
    assert len(rows_of(recent)) == sum(row["DGJ"] >= "20261021" for row in expected(ais, "F0411"))


def test_faults_between_server_and_caller(ais: Ais) -> None:
    """Error pages, resets, broken bodies, sysErrors and lost sessions come in the order they were ordered."""
    body = browse("F0010", columns="CO")
    ais.control("faults", [{"fault": "html_502", "route": "dataservice", "after": 1},
                           {"fault": "sys_errors", "route": "dataservice", "body": "F0013"}])  # fmt: skip
    assert len(ais.browse("F0010")) == 2
    page = ais.call("POST", "/v2/dataservice", body)
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    assert ais.ok("POST", "/v2/dataservice", browse("F0013"))["sysErrors"][0]["TITLE"].startswith("JAS_MSG")
    ais.fault("reset", "dataservice")
    with pytest.raises(requests.ConnectionError):
        ais.call("POST", "/v2/dataservice", body)
    ais.fault("truncate", "dataservice")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ais.call("POST", "/v2/dataservice", body)
    ais.fault("drop_rows", "dataservice", rows=1)
    assert len(ais.browse("F0010")) == 1
    ais.fault("444", "dataservice")
    assert ais.refused(444, "POST", "/v2/dataservice", body)["message"] == "Invalid Token"
    assert len(ais.browse("F0010")) == 2
    ais.fault("expire_session", "dataservice")
    ais.refused(444, "POST", "/v2/dataservice", body)
    ais.refused(444, "POST", "/v2/dataservice", body)
    assert ais.control("state")["faults_fired"] == {
        "html_502": 1, "sys_errors": 1, "reset": 1, "truncate": 1, "drop_rows": 1, "444": 1, "expire_session": 1,
    }  # fmt: skip


def test_tables_can_be_changed_past_the_api(ais: Ais) -> None:
    """An upsert changes the given columns and stamps the sandbox's now; deletes are by column; errors are told."""
    ais.control("clock", {"set": "2026-11-19T08:05:09+00:00", "frozen": True})
    number = ais.rows("F0101")[0]["AN8"]
    name = ais.row("F0101", AN8=number)["ALPH"]
    ais.control("tables/F0101", {"AN8": number, "RMK": "changed"})
    row = ais.row("F0101", AN8=number)
    assert (row["ALPH"], row["RMK"], row["UPMJ"], row["UPMT"]) == (name, "changed", "20261119", 80509)
    ais.control("tables/F4301", [{"DOCO": 9, "DCTO": "OP", "KCOO": "00001", "SFXO": "000", "TRDJ": "2026-11-18"}])
    assert ais.row("F4301", DOCO=9)["TDAY"] == 80509
    ais.control("tables/F0101", {"AN8": number, "UPMJ": "2020-01-02", "UPMT": 1})
    assert ais.row("F0101", AN8=number)["UPMJ"] == "20200102"
    assert ais.control(f"tables/F0101?AN8={number}", method="DELETE") == {"deleted": 1}
    assert ais.rows("F0101", AN8=number) == []
    answer = ais.http.post(f"{ais.root}/__control/tables/F0101", json={"AN8": 1, "ABALPH": "x"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "F0101 has no column ABALPH")

"""Reading tables over real sockets: both ways of paging, and every fault in between."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from jdebill_pipelines.domain.tables import F0411, F0901, JdeTable, Kind
from jdebill_pipelines.jde import where as w
from jdebill_pipelines.jde.errors import CursorExpired, MalformedAnswer
from jdebill_pipelines.transport.errors import ApiError, NotFound, PermanentError, Refused, TransientError
from jdebill_pipelines_tests.jde.fake_ais import FakeAis, error
from jdebill_pipelines_tests.transport.wire import Reply, Request, html

COLUMNS = ("DOC", "DCT", "KCO", "SFX", "SFXE", "AN8", "AG", "DGJ", "VINV", "MCU", "UPMT")


def voucher(doc: int, sfx: int = 1, **more: Any) -> dict[str, Any]:
    blank: dict[Kind, Any] = {Kind.TEXT: " ", Kind.NUMBER: 0, Kind.DATE: None, Kind.TIME: 0}
    row = {item: blank[kind] for item, kind in F0411.columns.items()}
    row |= {"DOC": doc, "DCT": "PV", "KCO": "00001", "SFX": f"{sfx:03d}", "AN8": 4242, "AG": Decimal("1834.50")}
    row |= {"DGJ": dt.date(2026, 1, 1) + dt.timedelta(days=doc % 28), "VINV": f"INV-{doc}", "UPMT": 93005}
    return row | more


def fill(ais: FakeAis, docs: int, items: int = 2, step: int = 3) -> list[tuple[int, str]]:
    ais.tables["F0411"] = [voucher(1000 + n * step, s) for n in range(docs) for s in range(1, items + 1)]
    return [(row["DOC"], row["SFX"]) for row in ais.tables["F0411"]]


def keys(pages: Any) -> list[tuple[int, str]]:
    return [(int(row[0]), row[3]) for page in pages for row in page]


def account(n: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(F0901.columns, "") | {"UPMJ": None, "UPMT": 0}
    return row | {"AID": f"{n:08d}", "MCU": "          30", "OBJ": "6110"}


@pytest.mark.parametrize("paging", ["auto", "keyset", "cursor"])
@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_every_row_once_in_order(ais: FakeAis, paging: Any, parallel: int, size: int) -> None:
    """Documents of several pay items, pages that cut through them, one lane or three."""
    expected = fill(ais, 40, items=3)
    client = ais.client(parallel_calls=parallel)
    assert keys(client.browse(F0411, columns=COLUMNS, page_size=size, paging=paging)) == expected
    assert ais.wire.most_in_flight <= parallel


def test_values_are_typed_and_exact(ais: FakeAis) -> None:
    """Text trimmed, numbers exact, dates as dates, blank dates None, times as numbers."""
    ais.tables["F0411"] = [
        voucher(720145, AG=Decimal("123456789012.37"), VINV="  ÄÖ-1 ", MCU="          30", AN8=70012),
        voucher(720146, AG=Decimal("-0.10"), DGJ=None, UPMT=0),
    ]
    (rows,) = list(ais.client().browse(F0411, columns=COLUMNS))
    assert rows == [
        (
            Decimal(720145), "PV", "00001", "001", Decimal(0), Decimal(70012), Decimal("123456789012.37"),
            dt.date(2026, 1, 1) + dt.timedelta(days=720145 % 28), "ÄÖ-1", "30", 93005,
        ),
        (Decimal(720146), "PV", "00001", "001", Decimal(0), Decimal(4242), Decimal("-0.10"), None, "INV-720146", "", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cell",
    [
        lambda item, v: "" if v is None else v,
        lambda item, v: ... if v in (None, " ", 0) else v,  # blank members are missing
        lambda item, v: f"{v}      " if isinstance(v, str) else v,
        lambda item, v: str(v) if isinstance(v, int | Decimal) else v,
        lambda item, v: f"{v[:4]}-{v[4:6]}-{v[6:]}" if item == "DGJ" and v else v,
        lambda item, v: f"{v[6:]}/{v[4:6]}/{v[:4]}" if item == "DGJ" and v else v,
        lambda item, v: int(v) if item == "DGJ" and v else v,
        lambda item, v: int(v) if item == "SFX" else v,
        lambda item, v: {"value": v, "id": 1},
    ],
    ids=["empty", "missing", "padded", "text numbers", "iso", "user format", "number dates", "number text", "objects"],
)
def test_every_way_to_write_a_value_gives_the_same_row(ais: FakeAis, cell: Callable[[str, Any], Any]) -> None:
    """What the API leaves open about blanks, padding, numbers and dates does not change a row."""
    ais.tables["F0411"] = [voucher(100, SFX="101"), voucher(101, DGJ=None, SFX="102", VINV=" ", UPMT=0)]
    client = ais.client()
    plain = list(client.browse(F0411, columns=COLUMNS))
    ais.cell = cell
    assert list(ais.client().browse(F0411, columns=COLUMNS)) == plain


def test_comma_profile(ais: FakeAis) -> None:
    """Numbers as text in a user's format with a decimal comma: read so, and '1.834' is not one point eight."""
    ais.user["decimalFormat"] = ","
    ais.tables["F0411"] = [voucher(1, AG="1.834,56"), voucher(2, AG="1.834"), voucher(3, AG="12,5-"), voucher(4)]
    (rows,) = list(ais.client().browse(F0411, columns=COLUMNS))
    assert [row[6] for row in rows] == [Decimal("1834.56"), Decimal(1834), Decimal("-12.5"), Decimal("1834.50")]
    with pytest.raises(PermanentError, match="decimal"):
        list(ais.client().browse(F0411, w.ge("AG", Decimal("0.5"))))


def test_a_value_that_fits_no_column_is_named(ais: FakeAis) -> None:
    """Never a guess: the error names column and value."""
    ais.tables["F0411"] = [voucher(1, AG="12x")]
    with pytest.raises(MalformedAnswer, match=r"F0411\.AG.*12x"):
        list(ais.client().browse(F0411, columns=COLUMNS))


def test_column_security(ais: FakeAis, caplog: pytest.LogCaptureFixture) -> None:
    """A hidden column is blank and said once; a hidden key column is an error."""
    fill(ais, 5)
    ais.hidden = {"VINV"}
    rows = [row for page in ais.client(parallel_calls=1).browse(F0411, columns=COLUMNS, page_size=3) for row in page]
    assert {row[8] for row in rows} == {""}
    assert sum("VINV" in record.message for record in caplog.records) == 1
    ais.hidden = {"SFX"}
    with pytest.raises(MalformedAnswer, match=r"key columns SFX.*security"):
        list(ais.client().browse(F0411, columns=COLUMNS))


@pytest.mark.parametrize("paging", ["keyset", "cursor"])
def test_a_server_that_gives_smaller_pages_than_asked(ais: FakeAis, paging: Any) -> None:
    """1000 asked, 10 given: nothing is lost."""
    expected = fill(ais, 40)
    ais.row_cap = 10
    assert keys(ais.client().browse(F0411, columns=COLUMNS, paging=paging)) == expected


def test_pages_that_overlap_are_freed_of_doubles(ais: FakeAis) -> None:
    """A cursor that repeats rows, and a table that has one twice in a page."""
    expected = fill(ais, 40)
    ais.overlap = 3
    client = ais.client()
    assert keys(client.browse(F0411, columns=COLUMNS, page_size=10, paging="cursor")) == expected
    ais.tables["F0411"].insert(5, dict(ais.tables["F0411"][5]))
    ways: list[Any] = ["keyset", "cursor"]
    for paging in ways:
        assert keys(client.browse(F0411, columns=COLUMNS, page_size=10, paging=paging)) == expected


def test_next_links_keep_the_token_at_home(ais: FakeAis) -> None:
    """The link names an internal host and carries the token: only path and query are used, without it."""
    expected = fill(ais, 10)
    assert keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7, paging="cursor")) == expected
    for call in ais.wire.calls("/next"):
        assert "token" not in call.query
        assert call.headers["jde-ais-auth"] in ais.tokens
        assert call.path == "/jderest/v2/dataservice/next"


@pytest.mark.parametrize("paging", ["keyset", "cursor"])
def test_any_path_prefix(paging: Any) -> None:
    """Behind a gateway the base URL has a prefix that the links do not know."""
    ais = FakeAis("/erp/prod/ais/jderest")
    try:
        expected = fill(ais, 10)
        assert keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7, paging=paging)) == expected
    finally:
        ais.wire.stop()


EXPIRED_IN_200 = Reply(200, {"sysErrors": [{"TITLE": "JAS_MSG347: The query results expired.", "DESC": ""}]})


def forget_cursors(ais: FakeAis) -> Callable[[Request], None]:
    def fault(_: Request) -> None:
        ais.cursors.clear()

    return fault


def renew(ais: FakeAis) -> Callable[[Request], None]:
    def fault(_: Request) -> None:
        ais.tokens.clear()

    return fault


@pytest.mark.parametrize("table", [F0411, F0901], ids=["numeric key", "no numeric key"])
@pytest.mark.parametrize(
    "fault",
    [
        "expired",
        "token",
        EXPIRED_IN_200,
        Reply(fault="reset"),
        Reply(fault="cut", body={"a": "b" * 99}),
        html(502),
        error(500, "boom"),
    ],
    ids=["JAS_MSG347", "444", "JAS_MSG347 in 200", "reset", "cut", "502", "500"],
)
def test_a_lost_cursor_costs_no_row(ais: FakeAis, table: JdeTable, fault: Any) -> None:
    """Whatever ends a cursor in the middle, twice: the query is asked again, and each row comes once."""
    fill(ais, 40)
    ais.tables["F0901"] = [account(n) for n in range(80)]
    places = [table.key.index(k) for k in table.key]
    tricks = {"expired": forget_cursors(ais), "token": renew(ais)}
    seen = 0

    def sometimes(request: Request) -> Reply | None:
        nonlocal seen
        seen += 1
        if seen not in (2, 6):
            return None
        if isinstance(fault, str):
            tricks[fault](request)
            return None
        return fault  # type: ignore[no-any-return]

    for _ in range(200):
        ais.fail("/dataservice/next", sometimes)
    rows = [row for page in ais.client().browse(table, columns=table.key, page_size=7, paging="cursor") for row in page]
    assert seen >= 6
    found = [tuple(str(row[p]) for p in places) for row in rows]
    expected = [tuple(str(row[k]).strip() for k in table.key) for row in ais.tables[table.name]]
    assert sorted(found) == sorted(expected)
    assert len(found) == len(set(found))


def test_a_cursor_that_is_always_lost_ends(ais: FakeAis) -> None:
    """No progress: a bounded number of restarts, then the reason."""
    ais.tables["F0901"] = [account(n) for n in range(80)]
    for _ in range(50):
        ais.fail("/dataservice/next", forget_cursors(ais))
    with pytest.raises(CursorExpired, match="JAS_MSG347"):
        list(ais.client().browse(F0901, page_size=7))
    assert len(ais.queries("F0901")) == 6


def test_truncation_without_a_link_is_never_silent(ais: FakeAis) -> None:
    """moreRecords and no next link: paged by key where there is one, an error where there is not."""
    expected = fill(ais, 40)
    ais.lose_links = True
    assert keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7, paging="cursor")) == expected
    ais.tables["F0901"] = [account(n) for n in range(80)]
    with pytest.raises(PermanentError, match="cuts the result short"):
        list(ais.client().browse(F0901, page_size=7))


def test_a_gateway_without_the_next_service(ais: FakeAis) -> None:
    """/next does not exist: paged by key where there is one."""
    expected = fill(ais, 40)
    ais.fail("/dataservice/next", error(404, "nothing here"), times=1)
    assert keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7, paging="cursor")) == expected
    ais.tables["F0901"] = [account(n) for n in range(80)]
    ais.fail("/dataservice/next", error(404, "nothing here"), times=1)
    with pytest.raises(NotFound):
        list(ais.client().browse(F0901, page_size=7))


def test_next_links_that_no_fresh_token_opens(ais: FakeAis) -> None:
    """444 to every next page: a few logins, then paged by key, and not a login per page."""
    expected = fill(ais, 40)
    ais.fail("/dataservice/next", error(444, "Invalid Token"), times=99)
    assert keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7, paging="cursor")) == expected
    assert ais.logins <= 3


def test_a_server_without_cursors(ais: FakeAis) -> None:
    """nextPage missing: by key, tables without a numeric key in one page, or by their text key where that is cut.

    A server that neither keeps the order nor a cursor cannot be read to the end: that is an error.
    """
    ais.config["capabilityList"] = [
        {"name": n} for n in ("dataservice", "outputType", "version2services", "dataServiceOrderBy")
    ]
    expected = fill(ais, 40)
    client = ais.client()
    assert keys(client.browse(F0411, columns=COLUMNS, page_size=7)) == expected
    ais.tables["F0901"] = [account(n) for n in range(80)]
    assert sum(len(p) for p in client.browse(F0901, page_size=7)) == 80
    assert ais.queries("F0901")[0]["maxPageSize"] == "No Max"
    with pytest.raises(PermanentError, match="nextPage"):
        client.browse(F0411, paging="cursor")
    ais.row_cap = 50
    pages = client.browse(F0901, columns=F0901.key, page_size=7)
    assert [row for page in pages for row in page] == [(f"{n:08d}",) for n in range(80)]
    ais.honour_order = False
    ais.tables["F0901"].reverse()
    with pytest.raises(PermanentError, match="cuts the result short"):
        list(client.browse(F0901, page_size=7))


@pytest.mark.parametrize("cap", [None, 5], ids=["pages grow", "pages are capped"])
@pytest.mark.parametrize("cursors", [True, False])
def test_pages_full_of_one_key(ais: FakeAis, cap: int | None, cursors: bool) -> None:
    """A document with more pay items than fit a page, in the middle and at the end of the table."""
    ais.tables["F0411"] = [voucher(1), voucher(2)]
    ais.tables["F0411"] += [voucher(3, s) for s in range(1, 120)]
    ais.tables["F0411"] += [voucher(4), voucher(5), *(voucher(6, s) for s in range(1, 30))]
    expected = [(row["DOC"], row["SFX"]) for row in ais.tables["F0411"]]
    ais.row_cap = cap
    if not cursors:
        ais.config["capabilityList"] = [{"name": n} for n in ("dataservice", "outputType", "version2services")]
    client = ais.client()
    pages = client.browse(F0411, columns=COLUMNS, page_size=5, paging="keyset")
    if cap and not cursors:
        with pytest.raises(PermanentError, match="cuts the result short"):
            keys(pages)
        return
    assert keys(pages) == expected


def test_a_server_that_ignores_the_order(ais: FakeAis, caplog: pytest.LogCaptureFixture) -> None:
    """Paging by key would lose rows: noticed, and paged otherwise."""
    expected = fill(ais, 40)
    ais.tables["F0411"].reverse()
    ais.honour_order = False
    found = keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7))
    assert sorted(found) == expected
    assert any("does not keep the order" in r.message for r in caplog.records)
    ais.config["capabilityList"] = [{"name": n} for n in ("dataservice", "outputType", "version2services")]
    assert sorted(keys(ais.client().browse(F0411, columns=COLUMNS, page_size=7))) == expected


def test_a_server_without_summary(ais: FakeAis) -> None:
    """No moreRecords at all: asked until nothing new comes."""
    expected = fill(ais, 40)
    client = ais.client()

    def strip(request: Request) -> Reply:
        reply = ais.browse(request)
        assert isinstance(reply.body, bytes)
        return Reply(200, reply.body.replace(b'"summary"', b'"ignored"'))

    ais.fail("/v2/dataservice", strip, times=99)
    ais.row_cap = 9
    assert keys(client.browse(F0411, columns=COLUMNS, page_size=20)) == expected


def test_paging_that_goes_in_circles_ends(ais: FakeAis) -> None:
    """A caching proxy gives the same page again and again."""
    fill(ais, 40)
    cached: list[Reply] = []

    def cache(request: Request) -> Reply:
        cached.append(cached[0] if cached else ais.next_page(request))
        return cached[0]

    ais.fail("/dataservice/next", cache, times=99)
    with pytest.raises(PermanentError, match="circles"):
        list(ais.client().browse(F0411, page_size=7, paging="cursor"))


def test_the_number_of_pages_is_bounded(ais: FakeAis) -> None:
    """A table that grows faster than it is read does not hold a run for ever."""
    fill(ais, 40)
    with pytest.raises(PermanentError, match="after 3 pages"):
        list(ais.client(max_pages=3).browse(F0411, page_size=7, paging="cursor"))


SYSTEM = {"sysErrors": [{"TITLE": "JAS_MSG100: database not available", "DESC": "x"}]}
FORM = {
    "fs_DATABROWSE_F0411": {"errors": [{"CODE": "018A", "TITLE": "Error: Not authorized", "DESC": "d"}], "data": {}}
}


@pytest.mark.parametrize(
    "fault",
    [
        Reply(200, SYSTEM),
        error(200, "odd"),
        error(500, "x"),
        html(502),
        html(503),
        html(504),
        Reply(fault="reset"),
        Reply(429),
    ],
    ids=["200 sysErrors", "200 exception", "500", "502", "503", "504", "reset", "429"],
)
def test_reads_are_repeated(ais: FakeAis, fault: Reply) -> None:
    """What may pass by itself is asked again, a bounded number of times."""
    expected = fill(ais, 4)
    client = ais.client()
    ais.fail("/dataservice", fault, times=3)
    assert keys(client.browse(F0411, columns=COLUMNS)) == expected
    ais.fail("/dataservice", fault, times=9)
    with pytest.raises(TransientError) as caught:
        list(client.browse(F0411, columns=COLUMNS))
    assert "reading F0411" in str(caught.value) or "connection" in str(caught.value)
    assert len(ais.queries("F0411")) == 8


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Reply(200, FORM), Refused, "018A Not authorized"),
        (Reply(400, {"message": "Invalid JSON"}), Refused, "Invalid JSON"),
        (html(200, "Sign in"), MalformedAnswer, "proxy or a login page"),
        (Reply(200, {"fs_DATABROWSE_F0101": {}}), MalformedAnswer, "no grid of F0411"),
    ],
    ids=["200 errors", "400", "200 HTML", "other table"],
)
def test_reads_that_cannot_succeed_are_made_once(ais: FakeAis, fault: Reply, kind: type[ApiError], words: str) -> None:
    """Answers that say no, or that are not AIS's, are errors also with HTTP 200."""
    fill(ais, 4)
    ais.fail("/dataservice", fault)
    with pytest.raises(kind, match=words) as caught:
        list(ais.client().browse(F0411))
    assert caught.value.url.endswith("/v2/dataservice")
    assert caught.value.fix


def test_a_reads_retry_obeys_retry_after(ais: FakeAis) -> None:
    """The server's own wait comes first."""
    fill(ais, 4)
    waits: list[float] = []
    ais.fail("/dataservice", Reply(503, b"", {"Retry-After": "7"}))
    list(ais.client(sleep=waits.append).browse(F0411))
    assert waits == [7.0]


def test_errors_in_a_lane_reach_the_consumer_and_stop_the_others(ais: FakeAis) -> None:
    """A failure in the middle of a parallel read comes out; no thread keeps asking."""
    fill(ais, 400, items=1)
    client = ais.client(parallel_calls=3, read_attempts=1)

    def break_later(request: Request) -> Reply | None:
        return error(400, "broken") if len(ais.queries("F0411")) > 6 else None

    ais.fail("/v2/dataservice", break_later, times=500)
    with pytest.raises(Refused, match="broken"):
        list(client.browse(F0411, page_size=7))
    until = time.monotonic() + 5
    while any(t.name == "ais-page" and t.is_alive() for t in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(t.name == "ais-page" for t in threading.enumerate())


def test_a_consumer_that_stops_early_stops_the_reading(ais: FakeAis) -> None:
    """Closing the pages ends the threads; nothing more is asked."""
    fill(ais, 400)
    client = ais.client(parallel_calls=2)
    pages = client.browse(F0411, page_size=5)
    next(pages)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 5
    while any(t.name == "ais-page" and t.is_alive() for t in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    asked = len(ais.wire.requests)
    assert asked < 80
    assert not any(t.name == "ais-page" for t in threading.enumerate())


def test_conditions_arrive_as_meant(ais: FakeAis) -> None:
    """Plain, alternatives, nested, with the paging's own conditions around them."""
    fill(ais, 40)
    for n, row in enumerate(ais.tables["F0411"]):
        row |= {"PST": "AHP"[n % 3], "CO": f"{n % 2:05d}", "VINV": "" if n % 5 == 0 else f"X{n}", "AG": Decimal(n)}
    client = ais.client()

    def ask(where: w.Where) -> int:
        return len(keys(client.browse(F0411, where, columns=COLUMNS, page_size=7)))

    rows = ais.tables["F0411"]
    assert ask(w.eq("PST", "A")) == sum(r["PST"] == "A" for r in rows)
    assert ask(w.any_of("PST", ["A", "H"]) & w.ne("CO", "00001")) == sum(
        r["PST"] in "AH" and r["CO"] != "00001" for r in rows
    )
    assert ask(w.blank("VINV") | (w.eq("PST", "P") & w.ge("AG", Decimal(40)))) == sum(
        r["VINV"] == "" or (r["PST"] == "P" and r["AG"] >= 40) for r in rows
    )
    assert ask(w.not_blank("VINV") & (w.lt("AG", 10) | w.gt("AG", 70))) == sum(
        r["VINV"] != "" and (r["AG"] < 10 or r["AG"] > 70) for r in rows
    )
    assert ask(w.between("DOC", 1000, 1030)) == 22
    assert ask(w.starts_with("VINV", "X1")) == sum(r["VINV"].startswith("X1") for r in rows)
    assert ask(w.since_days_ago("DGJ", 300)) == sum(r["DGJ"] >= dt.date(2026, 1, 26) for r in rows)


def test_children_by_dense_ranges_and_lists(ais: FakeAis) -> None:
    """Known documents: neighbours by range, the others by list; rows of other documents do not come along."""
    fill(ais, 400, step=1)
    client = ais.client()
    wanted = [*range(1000, 1100, 2), *range(1200, 1400), 1111, 1150, 1199, 9999, 1000]
    found = keys(client.fetch_by_keys(F0411, "DOC", wanted, columns=COLUMNS))
    assert sorted(found) == sorted((d, s) for d in set(wanted) if d < 1400 for s in ("001", "002"))
    operators = [c["operator"] for q in ais.queries("F0411") for c in q["query"]["condition"]]
    assert set(operators) == {"BETWEEN", "LIST"}
    assert len(operators) <= 4
    assert list(client.fetch_by_keys(F0411, "DOC", [])) == []
    with pytest.raises(ValueError, match="not a numeric column"):
        client.fetch_by_keys(F0411, "VINV", [1])


@pytest.mark.parametrize("how", ["refused", "ignored"])
def test_lists_where_the_operator_does_not_work(ais: FakeAis, how: str) -> None:
    """LIST refused, or finding nothing: alternatives of EQUAL, and LIST is not tried again."""
    fill(ais, 300, step=10)
    ais.honour_list = False

    def nothing(request: Request) -> Reply | None:
        lists = b'"LIST"' in request.body
        return ais.page("F0411", ["DOC", "DCT", "KCO", "SFX", "SFXE"], [], 1, False) if lists else None

    if how == "ignored":
        ais.fail("/v2/dataservice", nothing, times=99)
    wanted = list(range(1000, 3000, 20))
    client = ais.client(list_chunk=20, parallel_calls=1)
    found = keys(client.fetch_by_keys(F0411, "DOC", wanted, columns=COLUMNS))
    assert len(found) == 200
    operators = [c["operator"] for q in ais.queries("F0411") for c in q["query"].get("condition", [])]
    assert operators.count("LIST") == 1
    assert operators.count("EQUAL") == 100


def test_keys_that_are_not_in_the_selection_are_asked_for_and_cut_off(ais: FakeAis) -> None:
    """The consumer gets the columns it named, in its order."""
    fill(ais, 10)
    rows = [row for page in ais.client().browse(F0411, columns=["AG", "DOC"], page_size=3) for row in page]
    assert len(rows) == 20
    assert rows[0] == (Decimal("1834.50"), Decimal(1000))
    asked = ais.queries("F0411")[0]["returnControlIDs"].split("|")
    assert set(asked) == {f"F0411.{i}" for i in ("AG", "DOC", "DCT", "KCO", "SFX", "SFXE")}
    with pytest.raises(ValueError, match="no columns RPAG"):
        ais.client().browse(F0411, columns=["RPAG"])


def test_counts_in_whatever_form(ais: FakeAis) -> None:
    """The form of COUNT is not documented: several are read, others give None."""
    client = ais.client()
    for body, expected in [
        ({"ds_F0411": {"count": 7}}, 7),
        ({"ds_F0411": {"output": [{"COUNT": "12"}]}}, 12),
        ({"ds_F0411": {"error": "x"}}, None),
    ]:
        ais.fail("/dataservice", Reply(200, body))
        assert client.count(F0411, w.eq("PST", "A")) == expected

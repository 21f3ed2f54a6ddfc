"""Date literals: conversions, and the probe that proves what the server reads."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.domain.tables import F0010, F0101, F0411
from jdebill_pipelines.jde import where as w
from jdebill_pipelines.jde.config import InProcessTokenCache
from jdebill_pipelines.jde.literals import (
    COMMON_PATTERNS,
    format_date,
    parse_date,
    parse_number,
    parse_pattern,
)
from jdebill_pipelines.transport.errors import PermanentError
from jdebill_pipelines_tests.jde.fake_ais import FakeAis, error
from jdebill_pipelines_tests.jde.test_browse import COLUMNS, keys, voucher
from jdebill_pipelines_tests.transport.wire import Reply, Request

SPRING = w.between("DGJ", dt.date(2026, 3, 2), dt.date(2026, 3, 31))


def fill(ais: FakeAis, start: dt.date = dt.date(2026, 1, 1), docs: int = 120) -> list[tuple[int, str]]:
    """One voucher a day; what lies in the first days of a month tells day and month apart only if read right."""
    ais.tables["F0411"] = [voucher(n, DGJ=start + dt.timedelta(days=n), UPMJ=None) for n in range(docs)]
    low, high = dt.date(2026, 3, 2), dt.date(2026, 3, 31)
    return [(row["DOC"], row["SFX"]) for row in ais.tables["F0411"] if low <= row["DGJ"] <= high]


@pytest.mark.parametrize("server", ["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%y", "%y/%m/%d"])
@pytest.mark.parametrize("user", ["dd/MM/yyyy", "MM/dd/yyyy", "", "MMM d, yyyy"])
def test_the_literal_that_the_server_reads_is_found(ais: FakeAis, server: str, user: str) -> None:
    """Whatever the user's format says, the one that finds a known row is used, and proven once per session."""
    expected = fill(ais)
    ais.date_literal, ais.user["simpleDateFormat"] = server, user
    client = ais.client()
    assert keys(client.browse(F0411, SPRING, columns=COLUMNS, page_size=10)) == expected
    proven = client.login().date_literal
    assert format_date(dt.date(2026, 3, 4), proven) == dt.date(2026, 3, 4).strftime(server)
    asked = len(ais.queries("F0411"))
    assert keys(client.browse(F0411, SPRING, columns=COLUMNS)) == expected
    assert len(ais.queries("F0411")) == asked + 1


def test_the_proof_is_shared_and_outlives_a_renewal(ais: FakeAis) -> None:
    """Another client with the same login does not probe; neither does a renewed login with the same format."""
    expected = fill(ais)
    cache = InProcessTokenCache()
    one, two = ais.client(token_cache=cache), ais.client(token_cache=cache)
    assert one.probe_date_format(F0411) == "dd/MM/yyyy"
    before = len(ais.queries("F0411"))
    assert keys(two.browse(F0411, SPRING, columns=COLUMNS)) == expected
    ais.tokens.clear()
    assert keys(one.browse(F0411, SPRING, columns=COLUMNS)) == expected
    assert len(ais.queries("F0411")) == before + 3  # the last was refused once


def test_a_server_that_answers_unreadable_literals_with_errors(ais: FakeAis) -> None:
    """500 to a literal that it cannot read: the next format is tried, without waiting."""
    expected = fill(ais)
    ais.date_literal = "%Y-%m-%d"
    waits: list[float] = []

    def strict(request: Request) -> Reply | None:
        dates = [v["content"] for c in request.json["query"].get("condition", []) for v in c["value"]]
        return error(500, "bad date") if any("/" in d for d in dates) else None

    ais.fail("/v2/dataservice", strict, times=99)
    assert keys(ais.client(sleep=waits.append).browse(F0411, SPRING, columns=COLUMNS)) == expected
    assert waits == []


def test_a_server_that_fails_once_while_it_is_probed(ais: FakeAis) -> None:
    """An error to the one literal that it reads, once: that literal is tried again before it is ruled out."""
    expected = fill(ais)
    ais.date_literal = "%Y-%m-%d"
    failed: list[Request] = []

    def flaky(request: Request) -> Reply | None:
        dates = [v["content"] for c in request.json["query"].get("condition", []) for v in c["value"]]
        if any("-" in d for d in dates) and not failed:
            failed.append(request)
            return error(500, "out of memory")
        return None

    ais.fail("/v2/dataservice", flaky, times=99)
    client = ais.client()
    assert keys(client.browse(F0411, SPRING, columns=COLUMNS)) == expected
    assert client.login().date_literal == "yyyy-MM-dd"
    assert len(failed) == 1


def test_a_server_that_ignores_date_conditions_is_not_believed(ais: FakeAis) -> None:
    """Every format 'finds' the row there; the counter-proof notices, and says what to do."""
    fill(ais)

    def ignore(request: Request) -> Reply:
        body = request.json
        columns = [c.split(".")[1] for c in body["returnControlIDs"].split("|")]
        rows = ais.tables["F0411"][3:4] if body["targetName"] == "F0411" else []
        return ais.page(body["targetName"], columns, rows, 50, False)

    ais.fail("/v2/dataservice", ignore, times=99)
    with pytest.raises(PermanentError, match="JDE user profile"):
        list(ais.client().browse(F0411, SPRING))


def test_rows_that_tell_nothing_are_not_used(ais: FakeAis) -> None:
    """Only days equal to their month (03/03) or none at all: proven on another table."""
    ais.tables["F0411"] = [voucher(1, DGJ=dt.date(2026, 3, 3)), voucher(2, DGJ=None)]
    person: dict[str, Any] = dict.fromkeys(F0101.columns, "")
    ais.tables["F0101"] = [person | {"AN8": 1, "UPMJ": dt.date(2026, 2, 4), "UPMT": 0}]
    ais.date_literal = "%m/%d/%Y"
    client = ais.client()
    assert keys(client.browse(F0411, SPRING, columns=COLUMNS)) == [(1, "001")]
    assert client.login().date_literal == "MM/dd/yyyy"


def test_nothing_to_prove_by(ais: FakeAis) -> None:
    """An empty system: the user's format is used, and proven as soon as there is a row."""
    ais.tables["F0010"] = [dict.fromkeys(F0010.columns, "") | {"DFYJ": dt.date(2026, 1, 1), "PNC": 1}]
    ais.date_literal = "%Y%m%d"
    client = ais.client()
    assert list(client.browse(F0411, SPRING)) == []
    assert client.login().date_literal == ""
    expected = fill(ais)
    assert keys(client.browse(F0411, SPRING, columns=COLUMNS)) == expected


@given(st.dates(dt.date(1951, 1, 1), dt.date(2049, 12, 31)), st.sampled_from(COMMON_PATTERNS))
def test_patterns_read_what_they_write(day: dt.date, pattern: str) -> None:
    """Every common pattern, every day."""
    assert parse_pattern(format_date(day, pattern), pattern) == day


@given(st.dates(dt.date(1951, 1, 1), dt.date(2049, 12, 31)))
def test_dates_of_answers_in_every_dress(day: dt.date) -> None:
    """Compact, ISO, ISO with a time, the user's format."""
    for text in (
        f"{day:%Y%m%d}",
        int(f"{day:%Y%m%d}"),
        f"{day:%Y-%m-%d}",
        f"{day:%Y-%m-%dT10:00:00}",
        f"{day:%d/%m/%Y}",
    ):
        assert parse_date(text, "dd/MM/yyyy") == day


@pytest.mark.parametrize("blank", [None, "", " ", "  /  /    ", "0", 0, "null", "00000000"])
def test_blank_dates(blank: object) -> None:
    """All of them are no date."""
    assert parse_date(blank, "dd/MM/yyyy") is None


@pytest.mark.parametrize("text", ["126326", "31/31/2026", "20261399", "tomorrow", "2026-02-30"])
def test_what_is_not_a_date_is_an_error(text: str) -> None:
    """Julian numbers, months beyond 12, words."""
    with pytest.raises(ValueError):  # noqa: PT011 - datetime has its own words
        parse_date(text, "dd/MM/yyyy")


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1834.50", ".", "1834.50"), ("1,834.50", ".", "1834.50"), ("1,834", ".", "1834"), ("1.834,56", ".", "1834.56"),
        ("1.834,56", ",", "1834.56"), ("1.834", ",", "1834"), ("1834.5", ",", "1834.5"), ("12,5", ",", "12.5"),
        ("12.50-", ".", "-12.50"), (" ", ".", "0"), (None, ".", "0"), (7, ".", "7"), ("1 834,5", ",", "1834.5"),
        ("123456789012345678901234567890.12", ".", "123456789012345678901234567890.12"),
    ],
)  # fmt: skip
def test_numbers_of_answers(text: Any, mark: str, number: str) -> None:
    """In the user's format or not, exact."""
    assert parse_number(text, mark) == Decimal(number)


@pytest.mark.parametrize("text", ["12,5", "1,83", "abc", "1-2", True, 1.5])
def test_what_is_not_a_number_is_an_error(text: Any) -> None:
    """A comma where the user writes points could be two numbers; a float is not exact."""
    with pytest.raises(ValueError):  # noqa: PT011 - decimal has its own words
        parse_number(text, ".")

"""Our client against the simulator, which shares no code with it: paging, keys, orchestrations, discovery, faults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

import pytest

from jdebill_pipelines.domain import tables
from jdebill_pipelines.jde.client import AisClient
from jdebill_pipelines.jde.config import AisConfig, AisCredentials
from jdebill_pipelines.jde.contracts import check_contract
from jdebill_pipelines.jde.results import OrchestrationFailed
from jdebill_pipelines.jde.where import between, eq, ge
from jdebill_pipelines.steps.contracts import load_contracts
from jdebill_pipelines.transport.errors import UnknownOutcome
from jdebill_pipelines_tests.sandbox.ais.conftest import Ais


@pytest.fixture
def client(ais: Ais) -> Iterator[AisClient]:
    """A client that does not sleep."""
    config = AisConfig(f"{ais.root}/jderest", "JDV920", "*ALL", "our-client", page_size=50, list_chunk=10)
    with AisClient(config, AisCredentials("JDEBILL", "sandbox-password"), sleep=lambda _: None) as made:
        yield made


def total(ais: Ais, table: str, item: str) -> Decimal:
    """A column's sum over the generated rows."""
    return sum((Decimal(row[item] or 0) for row in ais.company.text_rows(table)), Decimal(0))


@pytest.mark.parametrize("paging", ["cursor", "keyset"])
@pytest.mark.parametrize("odd", [{}, {"padded_strings": True, "numbers_as_text": True}, {"blank_strings": "missing"}])
def test_every_row_comes_once(
    ais: Ais, client: AisClient, paging: Literal["cursor", "keyset"], odd: dict[str, object]
) -> None:
    """Both ways of paging give every key once and the exact sums, however the server shows its values."""
    ais.switch(**odd, unordered="shuffled", max_page_cap=20)
    for table, item in ((tables.F0411, "AG"), (tables.F4311, "AEXP"), (tables.F0101, "")):
        rows = [row for page in client.browse(table, paging=paging) for row in page]
        columns = list(table.columns)
        keys = {tuple(row[columns.index(k)] for k in table.key) for row in rows}
        assert len(keys) == len(rows) == len(ais.company.text_rows(table.name))
        if item:
            assert sum(row[columns.index(item)] for row in rows) == total(ais, table.name, item)


def test_conditions_and_dates(ais: Ais, client: AisClient) -> None:
    """The client finds out the date literal that this server wants, whichever it is."""
    given = ais.company.text_rows("F0411")
    wanted = {int(row["DOC"]) for row in given if "20261001" <= row["DGJ"] <= "20261031" and row["PST"] == "A"}
    for literal in ("user", "iso", "yyyymmdd"):
        ais.switch(date_literal=literal, simple_date_format="dd/MM/yyyy")
        client.logout()
        where = between("DGJ", date(2026, 10, 1), date(2026, 10, 31)) & eq("PST", "A")
        found = {row[0] for page in client.browse(tables.F0411, where, columns=["DOC"]) for row in page}
        assert found == wanted
    assert client.first_rows(tables.F0411, ge("AG", Decimal("0.01")), columns=["DOC"], limit=3)


def test_rows_by_keys(ais: Ais, client: AisClient) -> None:
    """Many keys are asked for in chunks."""
    numbers = sorted({int(row["DOC"]) for row in ais.company.text_rows("F0411")})[:35]
    pages = client.fetch_by_keys(tables.F0911, "DOC", numbers, columns=["DOC", "AA"])
    found = {int(row[0]) for page in pages for row in page}
    assert found == {int(r["DOC"]) for r in ais.company.text_rows("F0911")} & set(numbers)


def test_sessions_cursors_and_connections_may_break(ais: Ais, client: AisClient) -> None:
    """A lost session, an expired cursor, a reset, a broken body and an error page do not lose or double a row."""
    orders = [
        {"fault": "444", "after": 1}, {"fault": "expire_cursors", "after": 2}, {"fault": "reset", "after": 3},
        {"fault": "truncate", "after": 4}, {"fault": "html_502", "after": 5}, {"fault": "expire_all", "after": 6},
    ]  # fmt: skip
    ais.switch(max_page_cap=2)
    ais.control("faults", [{**order, "route": "dataservice"} for order in orders])
    rows = [row for page in client.browse(tables.F0411, columns=["DOC", "AG"]) for row in page]
    assert sum(row[1] for row in rows) == total(ais, "F0411", "AG")
    fired = ais.control("state")["faults_fired"]
    assert set(fired) == {"444", "expire_cursors", "reset", "truncate", "html_502", "expire_all"}


def test_orchestrations(ais: Ais, client: AisClient) -> None:
    """Outputs, warnings, refusals and unknown outcomes as the client tells them."""
    contracts = client.discover()
    for contract in load_contracts().values():
        assert check_contract(contracts, contract.spec()) == []
    row = next(r for r in ais.rows("F0411", PST="A", CRCD="USD") if r.get("AAP", 0) > 5)
    inputs = {
        "Payee": row["PYE"], "Bank Account": "00000123", "Payment Date": "2026-11-20", "GL Date": "2026-11-20",
        "Currency": "USD", "Remark": "stp1:00n2:post",
        "Vouchers": [{"Document Number": row["DOC"], "Document Type": row["DCT"], "Document Company": row["KCO"],
                      "Pay Item": row["SFX"], "Amount": Decimal("2.50"), "Discount": Decimal(0)}],
    }  # fmt: skip
    expects = ["Payment Id", "Payment Number"]
    result = client.orchestrate("JDEBILL_AP_PAYMENT", inputs, expects=expects)
    assert result.status == "SUCCESS"
    assert ais.row("F0413", PYID=int(result.number("Payment Id")))["PAAP"] == Decimal("2.5")
    with pytest.raises(OrchestrationFailed, match="not a G/L bank account"):
        client.orchestrate("JDEBILL_AP_PAYMENT", {**inputs, "Bank Account": "9"}, expects=expects)
    ais.fault("reset_after_commit", "orchestrator")
    with pytest.raises(UnknownOutcome):
        client.orchestrate("JDEBILL_AP_PAYMENT", inputs, expects=expects)
    assert len(ais.rows("F0414", RMK="stp1:00n2:post")) == 2

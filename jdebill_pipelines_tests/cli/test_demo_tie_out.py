"""The demo's comparison finds a cent that is missing, and whose it is: otherwise its "equal" would mean nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli.demo_tie_out import payment_ids, tie_out
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.store.links import Link
from jdebill_pipelines.store.store import Store

D = Decimal
BANK = "00000123"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """An empty BILL, and JDE with the payments that it made itself."""
    with SandboxProcess.start(company="tiny") as running:
        yield running


@pytest.fixture
def paid(sandbox: SandboxProcess, engine: Engine) -> tuple[SandboxProcess, Store, frozenset[int]]:
    """A payment of 100.00 in BILL, and in JDE the same one, for supplier 60005."""
    sandbox.control_ais("reset", {})
    sandbox.control_bill("reset", {})
    before = payment_ids(sandbox)
    address = {"line1": "1 Main St", "city": "Denver", "stateOrProvince": "CO", "zipOrPostalCode": "80202"}
    vendor = {"name": "Acme Example", "address": {**address, "country": "US"}}
    (vendor_id,) = sandbox.control_bill("seed", {"vendors": [vendor]})["ids"]["vendors"]
    line = {"amount": 100, "description": "Work"}
    invoice = {"invoiceNumber": "A-1", "invoiceDate": "2026-11-01"}
    bill = {"vendorId": vendor_id, "dueDate": "2026-11-30", "invoice": invoice, "billLineItems": [line]}
    (bill_id,) = sandbox.control_bill("seed", {"bills": [bill]})["ids"]["bills"]
    sandbox.control_bill("clerk/pay", {"billId": bill_id, "to": "PROCESSED"})
    store = Store(engine, "demo")
    store.links.put("vendor", [Link(kind="vendor", natural_key="60005", remote_id=vendor_id)], run_id="test")
    item = {"KCO": "00001", "DCT": "PV", "DOC": 1, "SFX": "001", "AN8": 60005, "CRCD": "USD", "CRRM": "D"}
    sandbox.control_ais("tables/F0414", {**item, "PYID": 99001, "RC5": 1, "DCTM": "PN", "PAAP": 100})
    ledger = {"DCT": "PN", "DOC": 99001, "KCO": "00001", "DGJ": "20261130", "JELN": 1, "LT": "AA", "EXTL": ""}
    more = {"AID": BANK, "AN8": 60005, "CRCD": "USD", "CRRM": "D", "PYID": 99001, "AA": -100}
    sandbox.control_ais("tables/F0911", {**ledger, **more})
    return sandbox, store, before


def test_the_same_on_three_sides_is_equal(paid: tuple[SandboxProcess, Store, frozenset[int]]) -> None:
    """100.00 in BILL, in F0414 and on the bank account; what JDE had paid before does not count."""
    sandbox, store, before = paid
    assert before
    (line,) = tie_out(sandbox, store, BANK, before=before)
    assert (line.bill, line.payments_table, line.ledger, line.payments) == (D(100), D(100), D(100), 1)
    assert line.equal


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("F0414", {"PYID": 99001, "RC5": 1, "PAAP": D("99.99")}),
        (
            "F0911",
            {
                "DCT": "PN",
                "DOC": 99001,
                "KCO": "00001",
                "DGJ": "20261130",
                "JELN": 1,
                "LT": "AA",
                "EXTL": "",
                "AA": D("-100.01"),
            },
        ),
    ],
)
def test_a_cent_is_found(
    paid: tuple[SandboxProcess, Store, frozenset[int]], table: str, change: dict[str, object]
) -> None:
    """One cent less in F0414, or one more on the bank account: not equal, and the supplier is named."""
    sandbox, store, before = paid
    sandbox.control_ais(f"tables/{table}", change)
    (line,) = tie_out(sandbox, store, BANK, before=before)
    assert not line.equal
    assert line.differing == ("60005",)


def test_the_wrong_supplier_is_found(paid: tuple[SandboxProcess, Store, frozenset[int]]) -> None:
    """The right amount on another supplier: the totals agree, and it is still not equal."""
    sandbox, store, before = paid
    sandbox.control_ais("tables/F0414", {"PYID": 99001, "RC5": 1, "AN8": 60006})
    (line,) = tie_out(sandbox, store, BANK, before=before)
    assert line.bill == line.payments_table
    assert (line.equal, line.differing) == (False, ("60005", "60006"))

"""What a customer's BILL already holds is taken and not made again: vendors, accounts, departments."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jdebill_pipelines_tests.support.world import World

SAME_ID, SAME_NAME, DOUBTFUL = 60012, 60011, 60006


def vendor_of(world: World, number: int, **changes: Any) -> dict[str, Any]:
    """A vendor as a clerk would have typed it from the supplier's papers."""
    (book,) = world.jde("F0101", f"AN8={number}")
    (home,) = world.jde("F0116", f"AN8={number}")
    address = {"line1": home["ADD1"], "city": home["CTY1"], "zipOrPostalCode": home["ADDZ"], "country": home["CTR"]}
    address["stateOrProvince"] = home["ADDS"]
    return {"name": book["ALPH"], "address": address, **changes}


def test_existing_vendors_are_matched_never_doubled_never_guessed(world: World) -> None:
    """One vendor has the supplier's tax id and another name, one the same name and address; one fits two suppliers."""
    tax_id = world.jde("F0101", f"AN8={SAME_ID}")[0]["TAX"]
    by_id = vendor_of(world, SAME_ID, name="SILVERLINE (old name)", additionalInfo={"taxId": tax_id})
    by_name = vendor_of(world, SAME_NAME)
    twice = [vendor_of(world, DOUBTFUL, accountNumber=str(n)) for n in (1, 2)]
    made = world.sandbox.control_bill("seed", {"vendors": [by_id, by_name, *twice]})["ids"]["vendors"]

    world.sync()

    links = world.links("vendor")
    assert (links[str(SAME_ID)], links[str(SAME_NAME)]) == (made[0], made[1])
    assert {world.store.links.all("vendor")[str(n)].origin for n in (SAME_ID, SAME_NAME)} == {"matched"}
    assert str(DOUBTFUL) not in links
    held = world.held("vendors")
    assert held[str(DOUBTFUL)] == "ambiguous_vendor"
    vendors = world.bill("vendor")
    assert set(made) <= {v["id"] for v in vendors}
    assert len(vendors) == len(links) + 2, "nothing but the linked ones and the two that fit one supplier"
    names = Counter(v["name"] for v in vendors)
    assert names["Silverline Energy Inc"] == 1, "JDE's name is the truth: the old one is corrected"
    assert str(DOUBTFUL) in {row.party for row in world.store.quarantine.open("bills")}, "its documents wait with it"
    assert not {b["vendorId"] for b in world.bill("bill")} & set(made[2:])


def test_existing_accounts_and_departments_are_used(world: World) -> None:
    """Every account and department is there already, numbered as the connection says: none is created, all bills go."""
    world.sync()
    accounts = {a["account"]["number"]: a["name"] for a in world.bill("account")}
    departments = {d["shortName"]: d["name"] for d in world.bill("department")}
    written = world.money()
    world.sandbox.control_bill("reset", {})
    with world.engine.begin() as tx:
        for table in ("links", "writes", "gl_map", "vendor_map", "bill_accounts", "bill_departments", "sessions"):
            tx.exec_driver_sql(f"DELETE FROM jdebill.{table}")
    world.sandbox.control_bill(
        "seed",
        {
            "accounts": [
                {"name": f"Own name of {number}", "account": {"number": number, "type": "EXPENSE"}}
                for number in accounts
            ],
            "departments": [{"name": f"Own {short}", "shortName": short} for short in departments],
        },
    )

    world.sync()

    assert {a["account"]["number"] for a in world.bill("account")} == set(accounts)
    assert all(a["name"].startswith("Own name") for a in world.bill("account"))
    assert {d["shortName"] for d in world.bill("department")} == set(departments)
    assert world.money() == written
    assert not [kind for kind, _, _ in world.ledger() if kind in ("account", "department")]

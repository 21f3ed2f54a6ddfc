"""Loading many objects at once, for demos and benchmarks.

Belongs here: objects from given JSON, and generated ones. Not here: telling subscriptions; a seed is silent.
"""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.bill import bills, classifications, credits, vendors
from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import CENT, Json
from jdebill_pipelines.sandbox.bill.listing import parse_time
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.records import Collection, Record

KINDS = ("accounts", "departments", "locations", "accounting-classes", "vendors", "bills", "vendor-credits")


def seed(world: Organization, given: Json) -> Json:
    """Keep objects as if they had been created, without events.

    Args:
        world: the organization.
        given: `{"accounts": [...], "departments": [...], "vendors": [...], "bills": [...], "vendor-credits": [...],
            "generate": {"vendors": n, "bills": n, "accounts": n, "departments": n, "seed": n, "first": "2026-01-01",
            "days": n}}`. Each object is the body of a create request; `id`, `archived`, `createdTime` and `updatedTime`
            are taken over when given.

    Returns:
        The ids by kind, in the order of the request.

    Raises:
        ValueError: an unknown member.
        Refusal: an object that BILL would refuse; what came before it stays.
    """
    unknown = set(given) - {*KINDS, "generate"}
    if unknown:
        raise ValueError(f"seed takes {', '.join(KINDS)} and generate; not {sorted(unknown)}")
    silent, world.webhooks = world.webhooks, None
    try:
        found = {kind: [_load(world, kind, item) for item in given[kind]] for kind in KINDS if kind in given}
        if "generate" in given:
            for kind, made in _generate(world, given["generate"]).items():
                found.setdefault(kind, []).extend(made)
    finally:
        world.webhooks = silent
    return {"ids": found}


def _load(world: Organization, kind: str, item: Any) -> str:
    if not isinstance(item, dict):
        raise ValueError(f"{kind}: every element must be an object")
    if kind == "vendors":
        record = vendors.create(world, item)
    elif kind == "bills":
        record = bills.create(world, item, world.sessions.user_id("seed"))
    elif kind == "vendor-credits":
        record = credits.create(world, item)
    else:
        path = "chart-of-accounts" if kind == "accounts" else kind
        record = classifications.create(world, classifications.BY_PATH[path], item)
    _take_over(world.collection(kind), record, item, world)
    return record.id


def _take_over(collection: Collection, record: Record, item: Json, world: Organization) -> None:
    wanted = item.get("id")
    if wanted and wanted != record.id:
        del collection.records[record.id]
        for index in (world.bills_of, world.bills_numbered) if collection is world.bills else ():
            for ids in index.values():
                if record.id in ids:
                    del ids[record.id]
                    ids[wanted] = None
        record.id = record.body["id"] = wanted
        collection.add(record)
    if item.get("archived"):
        record.body["archived"] = True
    if "createdTime" in item:
        record.created = parse_time(item["createdTime"])
        record.body["createdTime"] = stamp(record.created)
        collection.changed(record, record.created)
    if "updatedTime" in item:
        collection.changed(record, parse_time(item["updatedTime"]))


def _generate(world: Organization, wish: Json) -> dict[str, list[str]]:
    unknown = set(wish) - {"vendors", "bills", "accounts", "departments", "seed", "first", "days"}
    if unknown:
        raise ValueError(
            f"generate takes vendors, bills, accounts, departments, seed, first, days; not {sorted(unknown)}"
        )
    rng = random.Random(int(wish.get("seed", 1)))
    first = dt.date.fromisoformat(wish.get("first", "2026-01-01"))
    days = max(1, int(wish.get("days", 365)))
    made: dict[str, list[str]] = {}
    made["accounts"] = [
        _load(world, "accounts", {"name": f"Account {n}", "account": {"type": "EXPENSE", "number": str(n)}})
        for n in range(6000, 6000 + int(wish.get("accounts", 0)))
    ]
    made["departments"] = [
        _load(world, "departments", {"name": f"Department {n}", "shortName": str(n)})
        for n in range(100, 100 + int(wish.get("departments", 0)))
    ]
    made["vendors"] = [_load(world, "vendors", _vendor(n)) for n in range(1, 1 + int(wish.get("vendors", 0)))]
    wanted = int(wish.get("bills", 0))
    holders = made["vendors"] or list(world.vendors.records)
    if wanted and not holders:
        raise ValueError("generate: bills need vendors")
    accounts = made["accounts"] or list(world.classifications["chart-of-accounts"].records)
    departments = made["departments"] or list(world.classifications["departments"].records)
    made["bills"] = []
    for number in range(1, wanted + 1):
        day = first + dt.timedelta(days=rng.randrange(days))
        lines = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            classes = {}
            if accounts:
                classes["chartOfAccountId"] = rng.choice(accounts)
            if departments:
                classes["departmentId"] = rng.choice(departments)
            amount = Decimal(rng.randrange(100, 1_000_000)) * CENT
            lines.append({"amount": amount, "description": "Generated", "classifications": classes})
        body = {
            "vendorId": rng.choice(holders),
            "dueDate": (day + dt.timedelta(days=30)).isoformat(),
            "invoice": {"invoiceNumber": f"G{number:07d}", "invoiceDate": day.isoformat()},
            "billLineItems": lines,
            "createdTime": f"{day}T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        }
        made["bills"].append(_load(world, "bills", body))
    return {kind: ids for kind, ids in made.items() if ids}


def _vendor(number: int) -> Json:
    return {
        "name": f"Vendor {number} Inc",
        "shortName": f"V{number}",
        "accountType": "BUSINESS",
        "address": {"line1": f"{number} Example Street", "city": "Denver", "zipOrPostalCode": "80202", "country": "US"},
        "additionalInfo": {"taxId": f"{900000000 + number}", "taxIdType": "EIN"},
        "billCurrency": "USD",
    }

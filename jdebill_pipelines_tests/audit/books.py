"""Sums over the simulators' own tables, and the rows of a report: what the tests of the audit compare.

Nothing here uses the product's queries: a total that both get wrong in the same way would be two mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.steps.ap_ledger import ap_ledger
from jdebill_pipelines.steps.context import Mode, StepResult
from jdebill_pipelines.store.journal import Head
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.payments.loop import D, Loop

Row = dict[str, Any]
# BILL API v3: in these states of `singleStatus` the payer was debited and has not got the money back.
PAID = ("PROCESSED", "SENT", "DELIVERED", "CLEARED")
# Procedures whose rows are a matter of the cut-off alone; the others also show what came after it.
FIGURES: tuple[str, ...] = (
    "tie_out",
    "three_sided",
    "three_sided_items",
    "roll_forward",
    "open_items",
    "batches_to_ledger",
    "missing_postings",
    "posted_twice",
    "wrong_amounts",
    "in_transit",
    "integrity_items",
    "integrity_payments",
    "integrity_batches",
)


class Sides(Protocol):
    """Both simulators and our links between them."""

    @property
    def sandbox(self) -> SandboxProcess:
        """The simulators."""

    @property
    def store(self) -> Store:
        """Ours."""

    def table(self, name: str) -> list[Row]:
        """Rows of a JDE table as it is now."""


def read_ledgers(loop: Loop, *months: str) -> StepResult:
    """Bring the copies of the ledgers up to date, as the audit's asset does first."""
    return ap_ledger(loop.context("audit/month_end", Mode.FULL, "audit", months or loop.months))


def rows_of(report: Report, procedure: str) -> list[Row]:
    """All rows of a procedure."""
    return list(report.read_rows(procedure))


def day(value: Any) -> str:
    """A date of the simulator, ``YYYYMMDD``; '' for none."""
    return str(value or "")


def amount(row: Row, item: str) -> Decimal:
    """A number of a row; blank is zero."""
    return D(str(row.get(item) or 0))


def payment_days(loop: Sides) -> dict[tuple[int, str], str]:
    """The G/L date of each payment and void: of its ledger lines, else the void's or the payment's own date."""
    headers = {row["PYID"]: row for row in loop.table("F0413")}
    lines: dict[tuple[int, str], str] = {}
    for row in loop.table("F0911"):
        if row.get("PYID") and row.get("LT") == "AA":
            lines.setdefault((row["PYID"], row["DCT"]), day(row["DGJ"]))
    found = {}
    for pyid, header in headers.items():
        kind = str(header.get("DCTM"))
        found[pyid, kind] = lines.get((pyid, kind), day(header.get("DMTJ")))
        found[pyid, "PO"] = lines.get((pyid, "PO"), day(header.get("VDGJ")))
    return found


def subledger_of(loop: Sides, last: date, company: str = "00001") -> Decimal:
    """What the subledger says is owed at the end of a day, in the company's currency, added up row by row."""
    end, total = f"{last:%Y%m%d}", D(0)
    days = payment_days(loop)
    items: dict[tuple[Any, ...], list[Decimal]] = {}
    vouchers = {}
    for row in loop.table("F0411"):
        key = (row["KCO"], row["DCT"], row["DOC"], row["SFX"])
        if not row.get("SFXE"):
            vouchers[key] = row
        if row["CO"] == company and day(row["DGJ"]) <= end:
            own = amount(row, "ACR" if row.get("CRRM") == "F" else "AG")
            sums = items.setdefault(key, [D(0), D(0)])
            sums[0] += amount(row, "AG")
            sums[1] += own
    for row in loop.table("F0414"):
        key = (row["KCO"], row["DCT"], row["DOC"], row["SFX"])
        if row["CO"] != company or days[row["PYID"], row["DCTM"]] > end:
            continue
        voucher = vouchers[key]
        sums = items.setdefault(key, [D(0), D(0)])
        if voucher.get("CRRM") == "F":
            own = amount(row, "PFAP") + amount(row, "CDSA")
            sums[1] -= own
            sums[0] -= (own * amount(voucher, "CRR")).quantize(D("0.01"))
        else:
            sums[0] -= amount(row, "PAAP") + amount(row, "ADSA")
            sums[1] -= amount(row, "PAAP") + amount(row, "ADSA")
    for base, own in items.values():
        total += base if own else D(0)
    return total


def outcome(report: Report, procedure: str) -> str:
    """How a procedure ended."""
    return next(r.outcome for r in report.results if r.procedure.key == procedure)


def figures(report: Report) -> dict[str, Any]:
    """Outcome and rows of the procedures that have figures."""
    found = {r.procedure.key: (r.outcome, r.population, r.rows, r.exceptions) for r in report.results}
    return {key: (found[key], rows_of(report, key)) for key in FIGURES}


def csv_bytes(report: Report, folder: Path) -> dict[str, bytes]:
    """The CSV files of the same procedures, from a pack that is written into a new folder."""
    write_pack(report, folder, vault=Vault(bytes(32)), journal=Head(1, "ab" * 32), packed_by="test")
    return {key: (folder / "csv" / f"{key}.csv").read_bytes() for key in FIGURES}


def trade_account_of(loop: Sides, last: date, company: str = "00001") -> Decimal:
    """What the control account 4110 says at the end of a day, a credit being positive."""
    end = f"{last:%Y%m%d}"
    lines = [r for r in loop.table("F0911") if r.get("LT") == "AA" and r.get("OBJ") == "4110" and r["CO"] == company]
    return -sum((amount(r, "AA") for r in lines if day(r["DGJ"]) <= end), D(0))


def _events(loop: Sides, company: str) -> list[tuple[str, str, str, Decimal]]:
    """Everything that changes an open item: currency, kind, G/L date, amount in the currency."""
    days, found, currencies = payment_days(loop), [], {}
    for row in loop.table("F0411"):
        currencies[row["KCO"], row["DCT"], row["DOC"], row["SFX"]] = row["CRCD"]
        if row["CO"] == company:
            own = amount(row, "ACR" if row.get("CRRM") == "F" else "AG")
            kind = "void" if row.get("SFXE") and row.get("VOD") else "adjustment" if row.get("SFXE") else "voucher"
            found.append((str(row["CRCD"]), kind, day(row["DGJ"]), own))
    for row in loop.table("F0414"):
        if row["CO"] == company:
            names = ("PFAP", "CDSA") if row.get("CRRM") == "F" else ("PAAP", "ADSA")
            own = sum((amount(row, name) for name in names), D(0))
            currency = str(currencies[row["KCO"], row["DCT"], row["DOC"], row["SFX"]])
            kind = "void" if row["DCTM"] == "PO" else "payment"
            found.append((currency, kind, days[row["PYID"], row["DCTM"]], -own))
    return found


def activity_of(loop: Sides, first: date, last: date, company: str = "00001") -> dict[str, tuple[Decimal, ...]]:
    """Opening, vouchers, adjustments, payments, voids, closing by currency."""
    begin, end = f"{first:%Y%m%d}", f"{last:%Y%m%d}"
    found: dict[str, list[Decimal]] = {}
    kinds = ("voucher", "adjustment", "payment", "void")
    for currency, kind, when, own in _events(loop, company):
        sums = found.setdefault(currency, [D(0)] * 6)
        if when < begin:
            sums[0] += own
        elif when <= end:
            sums[1 + kinds.index(kind)] += own
        if when <= end:
            sums[5] += own
    return {currency: tuple(sums) for currency, sums in found.items()}


def own_open_of(loop: Sides, last: date, company: str = "00001") -> dict[str, Decimal]:
    """What is open at the end of a day by currency."""
    return {currency: sums[5] for currency, sums in activity_of(loop, last, last, company).items()}


def bill_open_of(loop: Sides, last: date) -> dict[str, Decimal]:
    """What is open in BILL at the end of a day by currency: bills and credits of documents up to it, less payments.

    A document's day is the G/L date of its voucher; that of an order's or a foreign bill its invoice date.
    """
    links = {
        **loop.store.links.by_remote("bill"),
        **loop.store.links.by_remote("vendor_credit"),
    }
    vouchers = {f"{r['KCO']}-{r['DCT']}-{r['DOC']}": day(r["DGJ"]) for r in loop.table("F0411") if not r.get("SFXE")}
    currencies = {v["id"]: v["billCurrency"] for v in loop.sandbox.control_bill("vendors")}
    end, found, places = f"{last:%Y%m%d}", dict[str, Decimal](), dict[str, str]()
    for kind, sign in (("bills", 1), ("vendor-credits", -1)):
        for one in loop.sandbox.control_bill(kind):
            link = links.get(one["id"])
            own = (one.get("invoice") or {}).get("invoiceDate") or one.get("creditDate")
            when = vouchers.get(link.natural_key if link else "", own.replace("-", ""))
            if when <= end and not one.get("archived"):
                places[one["id"]] = currencies[one["vendorId"]]
                found[currencies[one["vendorId"]]] = found.get(currencies[one["vendorId"]], D(0)) + sign * one["amount"]
    for payment in loop.sandbox.control_bill("payments"):
        if payment["processDate"].replace("-", "") > end or not (
            payment["singleStatus"] in PAID or _voided_on(payment) > end
        ):
            continue
        for link in payment.get("billPayments") or [{"billId": payment["billId"], "amount": payment["amount"]}]:
            if link["billId"] in places:
                found[places[link["billId"]]] -= link["amount"]
    return found


def _voided_on(payment: Row) -> str:
    """The day on which a payment was voided, ``YYYYMMDD``; '' for one that was not: until then it stood."""
    if payment["singleStatus"] != "VOIDED":
        return ""
    return str(payment["voidInfo"][-1]["updatedTime"])[:10].replace("-", "")


def total_of(rows: Iterable[Row], name: str) -> Decimal:
    """The sum of a column of a report."""
    return sum((D(row[name]) for row in rows), D(0))


def voucher_of(loop: Sides, invoice: str, day: date, gross: Decimal, supplier: int = 0) -> Row:
    """The inputs of a voucher that a clerk enters in JDE."""
    account = next(r for r in loop.table("F0901") if r.get("OBJ") == "8110" and not r.get("PEC"))
    return {
        "Company": "00001",
        "Supplier Number": supplier or next(r["AN8"] for r in loop.table("F0401") if r.get("HDPY", "N") in ("", "N")),
        "Invoice Number": invoice,
        "Invoice Date": day.isoformat(),
        "GL Date": day.isoformat(),
        "Gross Amount": gross,
        "Lines": [{"Account": account["AID"], "Amount": gross, "Explanation": invoice}],
    }

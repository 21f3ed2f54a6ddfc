"""What BILL has paid and what JD Edwards' tables say was paid, each added up from that side's own rows.

Belongs here: reading the simulated servers' tables and comparing. Does not belong here: our own records; the only thing
taken from them is which vendor stands for which supplier.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.serve import SandboxProcess
from jdebill_pipelines.store.store import Store

# BILL API v3, `singleStatus`: the payer was debited and has not got the money back.
_PAID = ("PROCESSED", "SENT", "DELIVERED", "CLEARED")
Sums = dict[tuple[str, str], Decimal]  # by currency and supplier


@dataclass(frozen=True, slots=True)
class Line:
    """One currency.

    Attributes:
        payments: BILL's payments that stand.
        suppliers: how many were paid.
        bill: amount that BILL paid.
        payments_table: F0414, voids taken off.
        ledger: F0911, what left the bank account.
        differing: suppliers for whom the three are not the same.
    """

    currency: str
    payments: int
    suppliers: int
    bill: Decimal
    payments_table: Decimal
    ledger: Decimal
    differing: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the three are the same, for every supplier."""
        return self.bill == self.payments_table == self.ledger and not self.differing


def payment_ids(sandbox: SandboxProcess) -> frozenset[int]:
    """Payments that JD Edwards has (F0413.PYID)."""
    return frozenset(int(row["PYID"]) for row in sandbox.control_ais("tables/F0413"))


def tie_out(sandbox: SandboxProcess, store: Store, bank_account: str, *, before: frozenset[int]) -> list[Line]:
    """Compare, by currency and supplier.

    Args:
        sandbox: the simulated servers.
        store: knows which vendor is which supplier.
        bank_account: short id of the account that is paid from.
        before: payments that JD Edwards had before BILL paid anything.
    """
    bill, counts = _paid_in_bill(sandbox, store)
    payments = _payments_table(sandbox, before)
    ledger = _ledger(sandbox, bank_account, before)
    everything = {*bill, *payments, *ledger}
    lines = []
    for currency in sorted({currency for currency, _ in everything}):
        keys = [key for key in everything if key[0] == currency]
        three = {key: {sums.get(key, Decimal(0)) for sums in (bill, payments, ledger)} for key in keys}
        lines.append(
            Line(
                currency=currency,
                payments=counts.get(currency, 0),
                suppliers=sum(bill.get(key, Decimal(0)) != 0 for key in keys),
                bill=_total(bill, currency),
                payments_table=_total(payments, currency),
                ledger=_total(ledger, currency),
                differing=tuple(sorted(supplier for (_, supplier), found in three.items() if len(found) > 1)),
            )
        )
    return lines


def _paid_in_bill(sandbox: SandboxProcess, store: Store) -> tuple[Sums, dict[str, int]]:
    suppliers = {link.remote_id: key for key, link in store.links.all("vendor").items()}
    currencies = {v["id"]: v.get("billCurrency") or "USD" for v in sandbox.control_bill("vendors")}
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    counts: defaultdict[str, int] = defaultdict(int)
    for payment in sandbox.control_bill("payments"):
        if payment["singleStatus"] in _PAID:
            currency = currencies[payment["vendorId"]]
            sums[currency, suppliers.get(payment["vendorId"], "")] += payment["amount"]
            counts[currency] += 1
    return dict(sums), dict(counts)


def _payments_table(sandbox: SandboxProcess, before: frozenset[int]) -> Sums:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in sandbox.control_ais("tables/F0414"):
        if int(row["PYID"]) not in before:
            sums[row["CRCD"], str(row["AN8"])] += row.get("PFAP" if _foreign(row) else "PAAP", Decimal(0))
    return dict(sums)


def _ledger(sandbox: SandboxProcess, bank_account: str, before: frozenset[int]) -> Sums:
    """What left the bank account: foreign amounts are in the rows of ledger CA, domestic ones in those of AA."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in sandbox.control_ais(f"tables/F0911?AID={bank_account}"):
        if int(row.get("PYID", 0)) not in before and row["LT"] == ("CA" if _foreign(row) else "AA"):
            sums[row["CRCD"], str(row["AN8"])] -= row["AA"]
    return dict(sums)


def _foreign(row: dict[str, Any]) -> bool:
    return str(row.get("CRRM", "")) == "F"


def _total(sums: Sums, currency: str) -> Decimal:
    return sum((amount for (code, _), amount in sums.items() if code == currency), Decimal(0))

"""How each kind of document is written at BILL and found there again.

Belongs here: payloads and calls per kind. Does not belong here: the order of the steps (``delivery``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from jdebill_pipelines.bill import lookup
from jdebill_pipelines.bill.codec import convert, decode, encode, encode_answer
from jdebill_pipelines.bill.models import (
    AccountIn,
    Bill,
    BillIn,
    DepartmentIn,
    Identified,
    Vendor,
    VendorCredit,
    VendorCreditIn,
    VendorIn,
    VendorPatch,
)
from jdebill_pipelines.steps.context import StepContext
from jdebill_pipelines.store.ledger_types import Claim, Settlement
from jdebill_pipelines.store.releases import Release

I = TypeVar("I")  # noqa: E741 - what goes in

LINK_KINDS = {"vendor": "vendors", "bill": "bills", "vendor_credit": "vendor_credits"}


class _Sender(Generic[I]):
    """What all kinds have in common: the payload is the content in the form of one struct."""

    kind: str
    bulk_limit: int
    shape: type[I]

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx
        self._client = ctx.bill()

    def payload(self, release: Release) -> bytes:
        """The body that will be sent: the judged content, checked against BILL's shape."""
        return encode(convert(release.content, self.shape))

    def create(self, claims: Sequence[Claim]) -> list[Settlement]:
        """Create all in one call; what the answer does not certainly hold is of unknown outcome."""
        answer = self._bulk([self._body(claim) for claim in claims])
        settlements, kept = [], []
        for claim, made in zip(claims, answer.created, strict=True):
            if made is None:
                settlements.append(Settlement.unknown(claim, "BILL's answer does not name it"))
            else:
                kept.append(encode_answer(made))
                settlements.append(Settlement.confirmed(claim, made.id, response=kept[-1]))
        self._keep(kept)
        return settlements

    def change(self, claim: Claim) -> Settlement:
        """Update, archive or restore one. Only kinds that are changed override ``_changed``."""
        assert claim.remote_id is not None
        made = self._changed(claim, claim.remote_id)
        response = encode_answer(made)
        self._keep([response])
        return Settlement.confirmed(claim, made.id, response=response)

    def find(self, claims: Sequence[Claim]) -> list[Settlement]:
        """Look each up. A change leaves the same state when it is made again, so it counts as not made."""
        links = self._ctx.store.links.by_remote(self.kind)
        settlements = []
        for claim in claims:
            if claim.operation != "create":
                settlements.append(Settlement.not_found(claim))
                continue
            taken = [remote for remote, link in links.items() if link.natural_key != claim.natural_key]
            try:
                found = self._find(self._body(claim), taken)
            except lookup.AmbiguousError as error:
                settlements.append(Settlement.unknown(claim, str(error)))
                continue
            if found is None:
                settlements.append(Settlement.not_found(claim))
            else:
                response = encode_answer(found)
                settlements.append(Settlement.confirmed(claim, found.id, response=response, origin="adopted"))
                self._keep([response])
        return settlements

    def _body(self, claim: Claim) -> I:
        return decode(claim.payload, self.shape)

    def _keep(self, made: Sequence[bytes]) -> None:
        mirrored = LINK_KINDS.get(self.kind)
        if mirrored and made:
            # As of now: a list whose reading began before it was made must not take it for gone.
            now = datetime.now(UTC)
            self._ctx.store.mirror.put(mirrored, made, run_id=self._ctx.run_id, seen_at=now, source="get")

    def _bulk(self, bodies: list[I]) -> Any:
        raise NotImplementedError

    def _changed(self, claim: Claim, remote_id: str) -> Identified:
        raise ValueError(f"{self.kind} {claim.natural_key} ({remote_id}) cannot be changed by {claim.operation}")

    def _find(self, body: I, taken: list[str]) -> Identified | None:
        raise NotImplementedError


class VendorSender(_Sender[VendorIn]):
    """Vendors: created in bulk, changed by PATCH."""

    kind, bulk_limit, shape = "vendor", 20, VendorIn

    def _bulk(self, bodies: list[VendorIn]) -> Any:
        return self._client.vendors.create_bulk(bodies)

    def _changed(self, claim: Claim, remote_id: str) -> Vendor:
        patch = decode(claim.payload, VendorPatch)
        if claim.operation == "archive":
            return self._client.vendors.archive(remote_id)
        if claim.operation == "restore":
            self._client.vendors.restore(remote_id)
        return self._client.vendors.patch(remote_id, patch)

    def _find(self, body: VendorIn, taken: list[str]) -> Vendor | None:
        return lookup.find_vendor(self._client, body, taken=taken)


class BillSender(_Sender[BillIn]):
    """Bills: created in bulk, replaced as a whole by PUT, which leaves the same bill when it is made again."""

    kind, bulk_limit, shape = "bill", 100, BillIn

    def _bulk(self, bodies: list[BillIn]) -> Any:
        return self._client.bills.create_bulk(bodies)

    def _changed(self, claim: Claim, remote_id: str) -> Bill:
        if claim.operation == "archive":
            return self._client.bills.archive(remote_id)
        if claim.operation == "restore":
            self._client.bills.restore(remote_id)
        return self._client.bills.put(remote_id, self._body(claim))

    def _find(self, body: BillIn, taken: list[str]) -> Bill | None:
        return lookup.find_bill(self._client, body.vendor_id, body.invoice.invoice_number or "", taken=taken)


class VendorCreditSender(_Sender[VendorCreditIn]):
    """Vendor credits: created in bulk, replaced by PUT; BILL has no way to restore one."""

    kind, bulk_limit, shape = "vendor_credit", 50, VendorCreditIn

    def _bulk(self, bodies: list[VendorCreditIn]) -> Any:
        return self._client.vendor_credits.create_bulk(bodies)

    def _changed(self, claim: Claim, remote_id: str) -> VendorCredit:
        if claim.operation == "archive":
            return self._client.vendor_credits.archive(remote_id)
        return self._client.vendor_credits.put(remote_id, self._body(claim))

    def _find(self, body: VendorCreditIn, taken: list[str]) -> VendorCredit | None:
        return lookup.find_vendor_credit(
            self._client, body.vendor_id, body.reference_number, body.credit_date, taken=taken
        )


class AccountSender(_Sender[AccountIn]):
    """Accounts of the chart of accounts: created only."""

    kind, bulk_limit, shape = "account", 50, AccountIn

    def _bulk(self, bodies: list[AccountIn]) -> Any:
        return self._client.accounts.create_bulk(bodies)

    def _find(self, body: AccountIn, taken: list[str]) -> Identified | None:
        del taken
        return lookup.find_account(self._client, body.name, body.account.number if body.account else None)


class DepartmentSender(_Sender[DepartmentIn]):
    """Departments: created only."""

    kind, bulk_limit, shape = "department", 50, DepartmentIn

    def _bulk(self, bodies: list[DepartmentIn]) -> Any:
        return self._client.departments.create_bulk(bodies)

    def _find(self, body: DepartmentIn, taken: list[str]) -> Identified | None:
        del taken
        return lookup.find_department(self._client, body.name, body.short_name)

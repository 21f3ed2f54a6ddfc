"""The BILL client: vendors, bills, vendor credits, classifications, payments.

Belongs here: which endpoints there are and what each takes and gives. Does not belong here: what is true of every call
(``calls``), webhook management (``events``), or finding what an unknown create left behind (``lookup``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from jdebill_pipelines.bill import bulk, codec
from jdebill_pipelines.bill.bulk import BULK_LIMITS, BulkAnswer
from jdebill_pipelines.bill.calls import BillCaller, Safety
from jdebill_pipelines.bill.config import BillApiConfig, BillCredentials
from jdebill_pipelines.bill.events import Subscriptions
from jdebill_pipelines.bill.filters import Filter
from jdebill_pipelines.bill.listing import PAGE_SIZE, Page, Query, changes, decode_page, pages
from jdebill_pipelines.bill.models import (
    Account,
    AccountIn,
    BankAccount,
    Bill,
    BillIn,
    BillPatch,
    Department,
    DepartmentIn,
    Identified,
    Payment,
    RecordPaymentIn,
    SessionInfo,
    Vendor,
    VendorCredit,
    VendorCreditIn,
    VendorIn,
    VendorPatch,
    with_bank_account,
)
from jdebill_pipelines.bill.ports import CallGate, SessionCache
from jdebill_pipelines.bill.windows import list_parallel
from jdebill_pipelines.transport.errors import NotFound

M = TypeVar("M", bound=Identified)
T = TypeVar("T", bound=Identified | Payment)
I = TypeVar("I")  # noqa: E741 - what goes in


class Listed(Generic[T]):
    """A list of BILL and the objects in it."""

    def __init__(self, caller: BillCaller, path: str, kind: type[T]) -> None:
        self._caller = caller
        self._path = path
        self._kind = kind

    def fetch(self, query: Query) -> Page[T]:
        """One page."""
        return self._caller.call(
            "GET", self._path, params=query.params(), read=lambda body: decode_page(body, self._kind)
        )

    def list(
        self, filters: Sequence[Filter] = (), *, sort: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[T]:
        """Every object, page after page, each id once.

        Args:
            filters: conditions, see :mod:`jdebill_pipelines.bill.filters`. Not on free text: compare that locally.
            sort: ``field:asc`` or ``field:desc``; BILL's default order is unknown.
            page_size: 1 to 100.
        """
        for rows in pages(self.fetch, Query(tuple(filters), sort, max=page_size)):
            yield from rows

    def list_changed(self, since: datetime, filters: Sequence[Filter] = ()) -> Iterator[T]:
        """What was created or changed since a time, oldest change first; what changes meanwhile comes again.

        Args:
            since: aware time: the watermark less an overlap of some minutes.
            filters: further conditions.
        """
        for rows in changes(self.fetch, since, filters=filters, moment_of=lambda r: r.updated_time):
            yield from rows

    def get(self, id: str) -> T:
        """One object, whole; rows of lists may be thinner.

        Raises:
            NotFound: no such id (``BDC_1205``).
        """
        return self._caller.call("GET", self._one(id), read=self._read)

    def _one(self, id: str, action: str = "") -> str:
        if not id:
            raise ValueError("an empty id would address the whole list")
        return f"{self._path}/{quote(id, safe='')}{action}"

    def _read(self, body: bytes) -> T:
        return codec.decode(body, self._kind)


class Scanned(Listed[T]):
    """A list that BILL can filter and sort by ``createdTime``, and so one that is read by several calls at once."""

    def list_all_parallel(self, filters: Sequence[Filter] = ()) -> Iterator[tuple[T, ...]]:
        """The whole list with up to ``max_in_flight`` calls at once: batches of rows in no order, each id once.

        Args:
            filters: conditions on members that do not change meanwhile.
        """
        return list_parallel(
            self.fetch,
            filters=filters,
            created_of=lambda r: r.created_time,
            lanes=self._caller.config.max_in_flight,
        )


class Archived(Listed[M]):
    """Objects that are never deleted, only archived."""

    def archive(self, id: str) -> M:
        """Archive; an archived one stays so."""
        return self._caller.call("POST", self._one(id, "/archive"), read=self._read, safety=Safety.REPEATABLE)


class Restorable(Archived[M]):
    """Objects that come back from the archive."""

    def restore(self, id: str) -> M:
        """Take out of the archive; one that is not in it stays so."""
        return self._caller.call("POST", self._one(id, "/restore"), read=self._read, safety=Safety.REPEATABLE)


class Creating(Listed[T], Generic[T, I]):
    """Objects that are created singly and in bulk. BILL has no idempotency key for any of them."""

    bulk_limit = 50
    keys: Sequence[tuple[bulk.Key, bulk.Key]] = ()

    def create(self, new: I) -> T:
        """Create one.

        Raises:
            UnknownOutcome: it may have been created; look it up before sending it again.
            BillRefused: it was not created.
        """
        return self._caller.call("POST", self._path, payload=new, read=self._read, safety=Safety.CREATE)

    def create_bulk(self, new: Sequence[I]) -> BulkAnswer[I, T]:
        """Create several in one call: all of them, or none.

        Raises:
            ValueError: none, or more than BILL takes at once.
            UnknownOutcome: they may have been created; look each up before sending it again.
            BillRefused: nothing was created; ``problems`` has every element of the answer. Which one was at fault is not
                reliably said: send halves.
        """
        if not 1 <= len(new) <= self.bulk_limit:
            raise ValueError(f"a bulk create takes 1 to {self.bulk_limit} elements, not {len(new)}")
        made = self._caller.call(
            "POST",
            self._path + "/bulk",
            payload=list(new),
            read=lambda body: bulk.read_bulk(body, self._kind),
            safety=Safety.CREATE,
        )
        return bulk.match(new, made, self.keys)


def _read_bank_account(body: bytes) -> BankAccount:
    return codec.decode(body, BankAccount)


class Vendors(Creating[Vendor, VendorIn], Restorable[Vendor], Scanned[Vendor]):
    """``/v3/vendors``."""

    bulk_limit = BULK_LIMITS["vendors"]
    keys = bulk.VENDOR_KEYS

    def whole(self, id: str) -> Vendor:
        """One vendor with where it is paid: BILL documents the bank account of a vendor in a call of its own.

        Raises:
            NotFound: no such id (``BDC_1205``).
        """
        vendor = self.get(id)
        if not vendor.hides_where_it_is_paid:
            return vendor
        try:
            account = self._caller.call("GET", self._one(id, "/bank-account"), read=_read_bank_account)
        except NotFound:
            return vendor
        return with_bank_account(vendor, account)

    def patch(self, id: str, change: VendorPatch) -> Vendor:
        """Change some members. Bank details cannot be changed so."""
        return self._caller.call("PATCH", self._one(id), payload=change, read=self._read, safety=Safety.REPEATABLE)


class Bills(Creating[Bill, BillIn], Restorable[Bill], Scanned[Bill]):
    """``/v3/bills``."""

    bulk_limit = BULK_LIMITS["bills"]
    keys = bulk.BILL_KEYS

    def put(self, id: str, whole: BillIn) -> Bill:
        """Replace a bill. Lines whose ``id`` is not in it are deleted, lines without ``id`` are new.

        Raises:
            UnknownOutcome: only when it has new lines and the answer did not come.
        """
        safety = Safety.REPEATABLE if all(line.id for line in whole.bill_line_items) else Safety.CREATE
        return self._caller.call("PUT", self._one(id), payload=whole, read=self._read, safety=safety)

    def patch(self, id: str, change: BillPatch) -> Bill:
        """Change some members; lines are addressed by their ``id``.

        Raises:
            ValueError: a line without ``id``: what BILL does with it is not documented, use :meth:`put`.
        """
        if any(not line.id for line in change.bill_line_items or ()):
            raise ValueError("a line without id cannot be patched: BILL does not say what would happen; use put")
        return self._caller.call("PATCH", self._one(id), payload=change, read=self._read, safety=Safety.REPEATABLE)

    def record_payment(self, paid: RecordPaymentIn) -> Payment:
        """Record a payment made outside BILL. No money moves.

        Raises:
            UnknownOutcome: it may have been recorded; look at the vendor's payments of that ``processDate``.
            BillRefused: refused, such as an overpayment (``BDC_1159``).
        """
        return self._caller.call(
            "POST",
            self._path + "/record-payment",
            payload=paid,
            read=lambda body: codec.decode(body, Payment),
            safety=Safety.CREATE,
        )


class VendorCredits(Creating[VendorCredit, VendorCreditIn], Archived[VendorCredit]):
    """``/v3/vendor-credits``. BILL has no restore for them."""

    bulk_limit = BULK_LIMITS["vendor-credits"]
    keys = bulk.VENDOR_CREDIT_KEYS

    def put(self, id: str, whole: VendorCreditIn) -> VendorCredit:
        """Replace a vendor credit. Lines whose ``id`` is not in it are deleted, lines without ``id`` are new."""
        safety = Safety.REPEATABLE if all(line.id for line in whole.vendor_credit_line_items) else Safety.CREATE
        return self._caller.call("PUT", self._one(id), payload=whole, read=self._read, safety=safety)


class Accounts(Creating[Account, AccountIn], Restorable[Account]):
    """``/v3/classifications/chart-of-accounts``."""

    bulk_limit = BULK_LIMITS["classifications"]
    keys = bulk.ACCOUNT_KEYS


class Departments(Creating[Department, DepartmentIn], Restorable[Department]):
    """``/v3/classifications/departments``."""

    bulk_limit = BULK_LIMITS["classifications"]
    keys = bulk.DEPARTMENT_KEYS


class Payments(Listed[Payment]):
    """``/v3/payments``, read only: AP pays in BILL, not through this client."""


class Health(msgspec.Struct, rename="camel", frozen=True):
    """What BILL says of itself."""

    app_id: str | None = None
    app_env: str | None = None
    app_version: str | None = None
    bdc_region: str | None = None


class BillClient:
    """BILL for one organization. Safe to use from several threads.

    Args:
        config: where the API is and how it is called.
        credentials: who logs in.
        sessions: where the session id is kept and shared.
        gate: who may call now, over all processes.
        sleep: how to wait, injectable.
        clock: seconds since the epoch, injectable.
        draw: a random number from 0 to 1, injectable.
    """

    def __init__(
        self,
        config: BillApiConfig,
        credentials: BillCredentials,
        *,
        sessions: SessionCache,
        gate: CallGate,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._use(BillCaller(config, credentials, sessions=sessions, gate=gate, sleep=sleep, clock=clock, draw=draw))

    def _use(self, caller: BillCaller) -> None:
        self._caller = caller
        self.vendors = Vendors(caller, "/v3/vendors", Vendor)
        self.bills = Bills(caller, "/v3/bills", Bill)
        self.vendor_credits = VendorCredits(caller, "/v3/vendor-credits", VendorCredit)
        self.accounts = Accounts(caller, "/v3/classifications/chart-of-accounts", Account)
        self.departments = Departments(caller, "/v3/classifications/departments", Department)
        self.payments = Payments(caller, "/v3/payments", Payment)
        self.subscriptions = Subscriptions(caller)

    @property
    def config(self) -> BillApiConfig:
        """Where the API is and how it is called."""
        return self._caller.config

    def patient(self, max_wait: float) -> BillClient:
        """The same client with another bound on how long one call waits for BILL's limits.

        Args:
            max_wait: seconds; 0 raises ``RateLimited`` at once.
        """
        other = object.__new__(type(self))
        other._use(self._caller.patient(max_wait))
        return other

    def verify_session(self) -> SessionInfo:
        """Who is logged in; logs in when nobody is.

        Raises:
            AuthenticationError: BILL refuses the login; the text says what to do.
        """
        return self._caller.call("GET", "/v3/login/session", read=lambda body: codec.decode(body, SessionInfo))

    def health(self) -> Health:
        """Whether BILL's API is up; needs no session."""
        return self._caller.call("GET", "/v3/health", read=lambda body: codec.decode(body, Health), anonymous=True)

    def logout(self) -> None:
        """End the session for everybody who shares it. Normally nobody does: it is reused until it dies of itself."""
        self._caller.log_out()

    def close(self) -> None:
        """Close the connections; the session lives on in the cache for the next one."""
        self._caller.close()

    def __enter__(self) -> BillClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

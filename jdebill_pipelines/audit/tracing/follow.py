"""Following a chain both ways: from any of its members to all of them.

Belongs here: what is tied to what, and what says so. Does not belong here: what is told of a member (describe.py).

A tie is found from either end, so the chain is the same wherever one begins. Suppliers and vendors are shown and not
passed through; only when one is asked for itself, its documents are followed, the latest first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from jdebill_pipelines.audit.tracing.books import Books, Row
from jdebill_pipelines.audit.tracing.model import Kind, Ref, Tie, amount_of
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.domain.keys import BadKeyError, OrderKey, OrderLink, VoucherKey
from jdebill_pipelines.domain.rows import ZERO, number, text

POSTINGS = ("posting", "posting_voucher")
PAYMENT_ID, VOID = "PYID-", "VOID-"
# What a batch of journal entries is called; payments and vouchers have their own types (F0911.ICUT).
JOURNAL_BATCHES = ("", "G")


class Chain(msgspec.Struct, frozen=True):
    """Members and ties, and how many documents were not followed."""

    members: frozenset[Ref]
    ties: tuple[Tie, ...]
    left_out: int = 0


class Follower:
    """Follows chains of one connection.

    Args:
        records: ours.
        books: JDE's.
        most: members at which following stops.
    """

    def __init__(self, records: Records, books: Books, most: int) -> None:
        self._records, self._books, self._most = records, books, most
        self._ties: dict[Kind, Callable[[list[str]], Iterable[Tie]]] = {
            Kind.SUPPLIER: self._of_suppliers,
            Kind.VENDOR: self._of_vendors,
            Kind.ORDER: self._of_orders,
            Kind.VOUCHER: self._of_vouchers,
            Kind.BILL: self._of_bills,
            Kind.CREDIT: self._of_credits,
            Kind.PAYMENT: self._of_payments,
            Kind.POSTING: self._of_postings,
            Kind.JDE_PAYMENT: self._of_jde_payments,
            Kind.ENTRY: self._of_entries,
        }

    def follow(self, start: Iterable[Ref], *, most_documents: int) -> Chain:
        """Return the whole chain of some things.

        Args:
            start: where to begin.
            most_documents: of a supplier or vendor that is asked for itself.
        """
        begin = set(start)
        documents = self._documents([ref for ref in begin if ref.kind.is_party])
        seen: set[Ref] = set()
        ties: dict[tuple[Ref, Ref, str], Tie] = {}
        frontier = begin | set(documents[:most_documents])
        beyond: set[Ref] = set(documents[most_documents:])
        while frontier:
            taken = sorted(frontier)[: max(self._most - len(seen), 0)]
            beyond |= frontier.difference(taken)
            seen |= set(taken)
            found: set[Ref] = set()
            for kind in Kind:
                keys = [ref.key for ref in taken if ref.kind is kind]
                for tie in self._ties[kind](keys) if keys else ():
                    ties.setdefault((tie.source, tie.target, tie.what), tie)
                    found |= {tie.source, tie.target}
            frontier = found - seen - beyond if taken else set()
        kept = [tie for tie in ties.values() if tie.source in seen and tie.target in seen]
        return Chain(
            frozenset(seen), tuple(sorted(kept, key=lambda t: (t.source, t.target, t.what))), len(beyond - seen)
        )

    def _documents(self, parties: list[Ref]) -> list[Ref]:
        """All documents of suppliers and vendors, the latest first."""
        suppliers = {int(ref.key) for ref in parties if ref.kind is Kind.SUPPLIER}
        vendors = {ref.key for ref in parties if ref.kind is Kind.VENDOR}
        if not parties:
            return []
        links = self._records.links(["vendor"], keys=map(str, suppliers), remote_ids=vendors)
        suppliers |= {int(link["natural_key"]) for link in links}
        vendors |= {link["remote_id"] for link in links}
        dated = [(row["day"], Ref(Kind(row["kind"]), row["key"])) for row in self._records.of_supplier(suppliers)]
        dated += [(row["day"], Ref(Kind(row["kind"]), row["id"])) for row in self._records.of_vendor(vendors)]
        return [ref for _, ref in sorted(dated, key=lambda pair: pair[0], reverse=True)]

    # Parties.

    def _of_suppliers(self, keys: list[str]) -> Iterator[Tie]:
        yield from self._same(self._records.links(["vendor"], keys=keys))

    def _of_vendors(self, keys: list[str]) -> Iterator[Tie]:
        yield from self._same(self._records.links(["vendor"], remote_ids=keys))

    def _same(self, links: Iterable[Mapping[str, object]]) -> Iterator[Tie]:
        for link in links:
            supplier, vendor = Ref(Kind.SUPPLIER, str(link["natural_key"])), Ref(Kind.VENDOR, str(link["remote_id"]))
            yield Tie(supplier, vendor, "is in BILL", by=f"link, {link['origin']}")

    # Documents of JDE.

    def _of_orders(self, keys: list[str]) -> Iterator[Tie]:
        orders = [OrderKey.parse(key) for key in keys]
        by_link: dict[OrderLink, list[OrderKey]] = defaultdict(list)
        for order in orders:
            by_link[order.link].append(order)
        for row in self._books.rows("F4301", "DOCO", {order.number for order in orders}):
            if OrderKey.of(row) in orders and row["AN8"]:
                supplier = Ref(Kind.SUPPLIER, str(int(row["AN8"])))
                yield Tie(supplier, Ref(Kind.ORDER, str(OrderKey.of(row))), "got the order", by="F4301.AN8")
        for row in self._books.of_orders(by_link):
            link = OrderLink.of(row)
            for order in by_link[link] if link is not None else ():
                yield from self._invoiced(order, row)
        yield from self._written(self._records.links(["bill"], keys=keys), Kind.ORDER)

    def _of_vouchers(self, keys: list[str]) -> Iterator[Tie]:
        vouchers = {VoucherKey.parse(key) for key in keys}
        numbers = {voucher.number for voucher in vouchers}
        items = [row for row in self._books.rows("F0411", "DOC", numbers) if VoucherKey.of(row) in vouchers]
        orders = self._books.rows("F4301", "DOCO", {link.number for row in items if (link := OrderLink.of(row))})
        for row in items:
            voucher = Ref(Kind.VOUCHER, str(VoucherKey.of(row)))
            yield Tie(Ref(Kind.SUPPLIER, payee_of(row)), voucher, "sent the invoice", by="F0411.PYE")
            for order in orders:
                if OrderKey.of(order).link == OrderLink.of(row):
                    yield from self._invoiced(OrderKey.of(order), row)
        for row in self._books.rows("F0414", "DOC", numbers):
            if VoucherKey.of(row) in vouchers:
                yield from self._paid_in_jde([row])
        yield from self._written(self._records.links(["bill", "vendor_credit"], keys=keys), Kind.VOUCHER)
        ours = [*keys, *(VOID + key for key in keys)]
        yield from self._posted(self._records.links(POSTINGS, remote_ids=ours))

    def _invoiced(self, order: OrderKey, row: Row) -> Iterator[Tie]:
        source, target = Ref(Kind.ORDER, str(order)), Ref(Kind.VOUCHER, str(VoucherKey.of(row)))
        yield Tie(source, target, "invoiced as", by="F0411.PO")

    # Documents of BILL.

    def _written(self, links: Iterable[Mapping[str, object]], kind: Kind | None = None) -> Iterator[Tie]:
        for link in links:
            key = str(link["natural_key"])
            source = Ref(kind or document_kind(key), key)
            target = Ref(Kind.CREDIT if link["kind"] == "vendor_credit" else Kind.BILL, str(link["remote_id"]))
            yield Tie(source, target, "billed as", by=f"link, {link['origin']}")

    def _of_bills(self, keys: list[str]) -> Iterator[Tie]:
        yield from self._written(self._records.links(["bill"], remote_ids=keys))
        for key, raw in self._records.mirrored("bills", keys).items():
            if raw.get("vendorId"):
                yield Tie(Ref(Kind.VENDOR, str(raw["vendorId"])), Ref(Kind.BILL, key), "is billed by", by="vendorId")
        payments = {row["payment_id"] for row in self._records.payment_lines(bills=keys)}
        yield from self._paid(self._records.payment_lines(payments=payments))

    def _of_credits(self, keys: list[str]) -> Iterator[Tie]:
        yield from self._written(self._records.links(["vendor_credit"], remote_ids=keys))
        for key, raw in self._records.mirrored("vendor_credits", keys).items():
            if raw.get("vendorId"):
                yield Tie(Ref(Kind.VENDOR, str(raw["vendorId"])), Ref(Kind.CREDIT, key), "gave", by="vendorId")
        payments = {row["payment_id"] for row in self._records.credit_uses(keys)}
        yield from self._paid(self._records.payment_lines(payments=payments))

    def _of_payments(self, keys: list[str]) -> Iterator[Tie]:
        for key, raw in self._records.mirrored("payments", keys).items():
            if raw.get("vendorId"):
                yield Tie(Ref(Kind.VENDOR, str(raw["vendorId"])), Ref(Kind.PAYMENT, key), "is paid by", by="vendorId")
        yield from self._paid(self._records.payment_lines(payments=keys))
        for posting in self._records.posting_keys(keys):
            yield _of_payment(posting)

    def _paid(self, lines: Iterable[Mapping[str, object]]) -> Iterator[Tie]:
        """A payment may have two lines for one bill: they are one."""
        listed = list(lines)
        paid: dict[tuple[Ref, Ref], Decimal] = defaultdict(Decimal)
        for line in listed:
            payment = Ref(Kind.PAYMENT, str(line["payment_id"]))
            if line["bill_id"]:
                paid[Ref(Kind.BILL, str(line["bill_id"])), payment] += amount_of(line["amount"])
            used = line["vendor_credits"]
            for credit in used if isinstance(used, list) else ():
                paid[Ref(Kind.CREDIT, str(credit["id"])), payment] += amount_of(credit["amount"])
        raws = self._records.mirrored("payments", {payment.key for _, payment in paid})
        currencies = self._records.currencies({str(raw.get("vendorId") or "") for raw in raws.values()})
        for (source, payment), amount in paid.items():
            vendor = str(raws.get(payment.key, {}).get("vendorId") or "")
            what = "used in" if source.kind is Kind.CREDIT else "paid by"
            yield Tie(source, payment, what, amount, currencies.get(vendor, "USD"), by="billPayments")

    # The way back.

    def _of_postings(self, keys: list[str]) -> Iterator[Tie]:
        for key in keys:
            yield _of_payment(key)
        yield from self._posted(self._records.links(POSTINGS, keys=keys))

    def _posted(self, links: Iterable[Mapping[str, object]]) -> Iterator[Tie]:
        for link in links:
            remote = str(link["remote_id"])
            target = remote.removeprefix(VOID)
            amount = None
            if target.startswith(PAYMENT_ID):
                ref = Ref(Kind.JDE_PAYMENT, target.removeprefix(PAYMENT_ID))
            else:
                ref = Ref(Kind.VOUCHER if link["kind"] == "posting_voucher" else Kind.ENTRY, target)
            what = "voided" if remote.startswith(VOID) else "written as"
            posting = Ref(Kind.POSTING, str(link["natural_key"]))
            yield Tie(posting, ref, what, amount, by=f"link, {link['origin']}")

    def _of_jde_payments(self, keys: list[str]) -> Iterator[Tie]:
        rows = self._books.rows("F0414", "PYID", map(int, keys))
        yield from self._paid_in_jde(rows)
        remote = [f"{begin}{PAYMENT_ID}{key}" for key in keys for begin in ("", VOID)]
        yield from self._posted(self._records.links(POSTINGS, remote_ids=remote))
        marked = {text(row, "RMK"): row for row in rows if text(row, "RMK") and text(row, "DCTM") != "PO"}
        for posting, reference in self._records.sent_with(marked).items():
            target = Ref(Kind.JDE_PAYMENT, str(int(marked[reference]["PYID"])))
            yield Tie(Ref(Kind.POSTING, posting), target, "written as", by="F0414.RMK")

    def _paid_in_jde(self, rows: Iterable[Row]) -> Iterator[Tie]:
        """One tie per voucher and payment, whatever its pay items; a void's rows are the payment's own."""
        paid: dict[tuple[Ref, Ref], list[Row]] = defaultdict(list)
        for row in rows:
            voucher = Ref(Kind.VOUCHER, str(VoucherKey.of(row)))
            paid[voucher, Ref(Kind.JDE_PAYMENT, str(int(row["PYID"])))].append(row)
        for voucher, payment in paid:
            ours = self._books.rows("F0414", "PYID", [int(payment.key)])
            own = [row for row in ours if str(VoucherKey.of(row)) == voucher.key and text(row, "DCTM") != "PO"]
            amount = sum((paid_amount(row) for row in own), ZERO)
            currency = next((text(row, "CRCD") for row in own), "")
            yield Tie(voucher, payment, "paid in JDE by", amount, currency, by="F0414")

    def _of_entries(self, keys: list[str]) -> Iterator[Tie]:
        yield from self._posted(self._records.links(POSTINGS, remote_ids=keys))
        entries = {VoucherKey.parse(key) for key in keys}
        marked: dict[str, str] = {}
        for row in self._books.rows("F0911", "DOC", {entry.number for entry in entries}):
            if VoucherKey.of(row) in entries and text(row, "ICUT") in JOURNAL_BATCHES:
                marked |= {mark: str(VoucherKey.of(row)) for mark in (text(row, "EXR"), text(row, "EXA")) if mark}
        for posting, reference in self._records.sent_with(marked).items():
            yield Tie(Ref(Kind.POSTING, posting), Ref(Kind.ENTRY, marked[reference]), "written as", by="F0911.EXR")


def document_kind(key: str) -> Kind:
    """Return what a natural key of a document names: an order or a voucher."""
    try:
        OrderKey.parse(key)
    except BadKeyError:
        return Kind.VOUCHER
    return Kind.ORDER


def payee_of(row: Row) -> str:
    """Return the address number that a pay item is paid to."""
    return str(int(number(row, "PYE") or number(row, "AN8")))


def paid_amount(row: Row) -> Decimal:
    """Return what an F0414 row paid, in the payment's currency."""
    return number(row, "PFAP") if text(row, "CRRM") == "F" else number(row, "PAAP")


def _of_payment(posting: str) -> Tie:
    return Tie(Ref(Kind.PAYMENT, posting.split(":")[0]), Ref(Kind.POSTING, posting), "posted as", by="posting key")

"""What each member of a chain says itself, from the tables of its own system.

Belongs here: who describes which kind. Does not belong here: the descriptions, what was decided (evidence.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from jdebill_pipelines.audit.tracing.accounts import Accounts
from jdebill_pipelines.audit.tracing.bill_documents import BillDocuments
from jdebill_pipelines.audit.tracing.books import Books
from jdebill_pipelines.audit.tracing.described_postings import Postings
from jdebill_pipelines.audit.tracing.jde_documents import JdeDocuments
from jdebill_pipelines.audit.tracing.model import Kind, Node, Ref
from jdebill_pipelines.audit.tracing.parties import Parties
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.config.connection import Connection

_NOT_READ = "JD Edwards' copy does not have it: it was written after the last reading, or deleted there"
_NOT_SHOWN = "BILL's copy does not have it: it was made after the last reading, or BILL shows it no more"


class Describer:
    """Describes members of chains of one connection.

    Args:
        records: ours.
        books: JDE's.
        connection: its rules.
    """

    def __init__(self, records: Records, books: Books, connection: Connection) -> None:
        accounts = Accounts(records, connection)
        parties, jde = Parties(records, books), JdeDocuments(books, accounts)
        bill = BillDocuments(records, accounts)
        self._describe: Mapping[Kind, Callable[[list[str]], Iterable[Node]]] = {
            Kind.SUPPLIER: parties.suppliers,
            Kind.VENDOR: parties.vendors,
            Kind.ORDER: jde.orders,
            Kind.VOUCHER: jde.vouchers,
            Kind.BILL: lambda keys: bill.bills(keys, Kind.BILL),
            Kind.CREDIT: lambda keys: bill.bills(keys, Kind.CREDIT),
            Kind.PAYMENT: bill.payments,
            Kind.POSTING: Postings(records, accounts, connection).postings,
            Kind.JDE_PAYMENT: jde.payments,
            Kind.ENTRY: jde.entries,
        }

    def of(self, members: Iterable[Ref]) -> dict[Ref, Node]:
        """Return the description of every member, in the order of kinds and keys."""
        chain = sorted(set(members))
        found: dict[Ref, Node] = {}
        for kind in Kind:
            keys = [ref.key for ref in chain if ref.kind is kind]
            described = {node.ref: node for node in self._describe[kind](keys)} if keys else {}
            missing = (_NOT_SHOWN if kind in (Kind.VENDOR, Kind.BILL, Kind.CREDIT, Kind.PAYMENT) else _NOT_READ,)
            for ref in (Ref(kind, key) for key in keys):
                found[ref] = described.get(ref) or Node(ref=ref, notes=missing)
        return found

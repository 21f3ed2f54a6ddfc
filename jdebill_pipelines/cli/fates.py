"""What became of given documents: in BILL, held, or not due, with the reason.

Belongs here: reading that from the store. Does not belong here: deciding it (steps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.sandbox.company import Company
from jdebill_pipelines.store.store import Store

# kind of a link -> outcome, in the words of the generated company
_OUTCOMES = {"bill": "bill", "vendor_credit": "credit", "vendor": "vendor"}
GATES = ("vendors", "bills")


@dataclass(frozen=True, slots=True)
class Fate:
    """A document, what should have become of it and what did.

    Attributes:
        outcome: bill, credit, vendor, held, not due, or '' when nothing is known of it.
        reason: why it is held or not due; BILL's id otherwise.
    """

    key: str
    case: str
    why: str
    expected: str
    outcome: str
    reason: str

    @property
    def as_expected(self) -> bool:
        """Whether it came as it should."""
        return self.outcome == self.expected


def fates(store: Store, connection: Connection, company: Company) -> list[Fate]:
    """Return what became of the awkward documents and suppliers of a generated company."""
    keys = [a.key for a in company.awkward]
    became = _written(store, keys) | _not_read(connection, keys)
    for gate in GATES:
        for draft in store.drafts.read(gate, keys=keys):
            if draft.status == "not_due":
                became.setdefault(draft.natural_key, ("not due", draft.reason))
    for held in store.quarantine.open():
        if held.natural_key in keys and became.get(held.natural_key, ("not due",))[0] == "not due":
            became[held.natural_key] = ("held", held.reason)
    return [
        Fate(a.key, a.case, a.why, a.outcome, *became.get(a.key, ("", "nothing is known of it")))
        for a in company.awkward
    ]


def _not_read(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Vouchers of a type that is not sent are not even read; nothing in the store tells of them."""
    vouchers = {key: key.split("-")[1] for key in keys if key.count("-") == 2}
    return {
        key: ("not due", f"document type {type_} is not sent to BILL")
        for key, type_ in vouchers.items()
        if type_ not in connection.jde.voucher_document_types
    }


def _written(store: Store, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for kind, outcome in _OUTCOMES.items():
        for link in store.links.get(kind, keys).values():
            if not link.archived:
                found[link.natural_key] = (outcome, link.remote_id)
    return found

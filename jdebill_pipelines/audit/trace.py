"""The trace of one document: whatever of the chain is named, the whole of it, from the order to the ledger and back.

Belongs here: the one way to a chain, for the command, the page of the pack and programs. Does not belong here: the
parts (tracing/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from jdebill_pipelines.audit.tracing.books import Books, Copies, Source
from jdebill_pipelines.audit.tracing.describe import Describer
from jdebill_pipelines.audit.tracing.evidence import Evidence
from jdebill_pipelines.audit.tracing.follow import Chain, Follower
from jdebill_pipelines.audit.tracing.keys import FORMS, WORDS, Finder, Form, exact
from jdebill_pipelines.audit.tracing.model import Node, Read, Ref, Trace
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.store.store import Store

MOST_MEMBERS, MOST_DOCUMENTS = 1_000, 25
_MIRRORS = ("vendors", "bills", "payments")


class UnknownKey(LookupError):
    """Nothing of the connection has this key.

    Attributes:
        looked_for: the kinds of keys that were tried.
    """

    def __init__(self, key: str, connection: str, looked_for: Sequence[Form]) -> None:
        super().__init__(f"nothing of {connection} is called {key!r}")
        self.key, self.looked_for = key, looked_for


class AmbiguousKey(LookupError):
    """A key names several things that belong to different chains.

    Attributes:
        candidates: described, one chain after the other; ``str(node.ref)`` is the exact key of each.
    """

    def __init__(self, key: str, candidates: Sequence[Node]) -> None:
        super().__init__(f"{key!r} can be {len(candidates)} things")
        self.key, self.candidates = key, candidates


class Tracer:
    """Traces documents of one connection.

    Args:
        store: ours.
        connection: its configuration.
        source: of JDE's rows; default our copies of them.
        most_documents: of a supplier or vendor that is asked for itself, the latest ones.
    """

    def __init__(
        self, store: Store, connection: Connection, source: Source | None = None, most_documents: int = MOST_DOCUMENTS
    ) -> None:
        self._connection, self._most_documents = connection, most_documents
        self._records, self._books = Records(store), Books(source or Copies(store))
        self._finder = Finder(store, self._books)
        self._follower = Follower(self._records, self._books, MOST_MEMBERS)
        self._describer = Describer(self._records, self._books, connection)
        self._evidence = Evidence(store, self._books)

    def trace(self, key: str) -> Trace:
        """Return the chain that a key belongs to.

        Args:
            key: of any kind of ``tracing.keys.FORMS``, or ``kind:value``.

        Raises:
            UnknownKey: nobody knows it.
            AmbiguousKey: it names members of several chains.
        """
        found = self._finder.find(key)
        if not found:
            named = exact(key.strip())
            forms = [WORDS[named[0]]] if named else FORMS
            raise UnknownKey(key, self._connection.name, forms)
        chains = self._chains(found)
        if len(chains) > 1:
            described = self._describer.of(found)
            raise AmbiguousKey(key, [described[ref] for asked, _ in chains for ref in asked])
        asked, chain = chains[0]
        return self._whole(asked, chain)

    def traces(self, key: str) -> list[Trace]:
        """Return every chain that a key belongs to, none for a key that nobody knows."""
        return [self._whole(asked, chain) for asked, chain in self._chains(self._finder.find(key))]

    def _chains(self, found: Iterable[Ref]) -> list[tuple[tuple[Ref, ...], Chain]]:
        """The chains of things, each with those of them that are in it."""
        chains: list[tuple[list[Ref], Chain]] = []
        for ref in found:
            known = next((asked for asked, chain in chains if ref in chain.members), None)
            if known is not None:
                known.append(ref)
            else:
                chains.append(([ref], self._follower.follow([ref], most_documents=self._most_documents)))
        return [(tuple(asked), chain) for asked, chain in chains]

    def _whole(self, asked: tuple[Ref, ...], chain: Chain) -> Trace:
        events = self._evidence.of(chain.members)
        described = self._describer.of(chain.members)
        return Trace(
            connection=self._connection.name,
            timezone=self._connection.timezone,
            asked=asked,
            nodes={ref: msgspec.structs.replace(node, events=events.get(ref, ())) for ref, node in described.items()},
            ties=chain.ties,
            runs=self._evidence.runs(event for found in events.values() for event in found),
            read=(*self._books.read(), *self._mirrors()),
            left_out=chain.left_out,
        )

    def _mirrors(self) -> Iterable[Read]:
        for kind in _MIRRORS:
            sql = f"SELECT max(seen_at) AS at FROM jdebill.bill_{kind} WHERE connection = :connection"  # noqa: S608
            at: datetime | None = self._records.select(sql)[0]["at"]
            yield Read("BILL", kind, at)

"""What BILL holds, as last read: objects of each kind, payment lines, and every status a payment was seen in.

Belongs here: storing what the client listed or fetched. Does not belong here: what a status means (domain/).
"""

# ruff: noqa: S608 - names in these statements come from the tables' own definition, values are parameters
from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from jdebill_pipelines.store.engine import encode_json
from jdebill_pipelines.store.locks import lock_in
from jdebill_pipelines.store.schema.mirror import MIRROR
from jdebill_pipelines.store.scope import Part, Row

_CHUNK = 500
Source = msgspec.Struct | Mapping[str, Any] | bytes


class MirrorResult(msgspec.Struct, frozen=True):
    """How many objects were stored, how many of them are new or different, how many went away."""

    written: int
    changed: int
    removed: int = 0


class Mirror(Part):
    """The mirror of one connection. Kinds: vendors, bills, vendor_credits, accounts, departments, payments."""

    def put(
        self, kind: str, objects: Iterable[Source], *, run_id: str, seen_at: datetime, source: str = "list"
    ) -> MirrorResult:
        """Store objects over those of the same id; an object read earlier than the stored one is left out.

        Args:
            kind: of the objects.
            objects: structs, mappings or JSON as it came, keys as BILL writes them.
            run_id: who read them.
            seen_at: aware moment of the reading, at the latest when it began.
            source: ``list``, ``get``, ``webhook`` or ``history``: kept with the payment status.
        """
        written = changed = 0
        for chunk in _chunks(objects):
            with self.scope.transaction() as tx:
                stored = self._store(tx, kind, chunk, run_id, seen_at, source)
            written, changed = written + stored.written, changed + stored.changed
        return MirrorResult(written, changed)

    def replace(self, kind: str, objects: Iterable[Source], *, run_id: str, seen_at: datetime) -> MirrorResult:
        """Store a complete listing: what is not in it, and was not read at its time or later, goes away.

        The objects are stored while the listing is still under way; each is true by itself. When it breaks off, nothing
        goes away.
        """
        stored = self.put(kind, objects, run_id=run_id, seen_at=seen_at)
        with self.scope.transaction() as tx:
            lock_in(tx, "mirror", self.scope.connection, kind)
            gone = self.run(
                tx,
                f"DELETE FROM jdebill.{_table(kind).name} WHERE connection = :connection AND seen_at < :seen_at",
                seen_at=seen_at,
            )
        return MirrorResult(stored.written, stored.changed, gone.rowcount)

    def read(
        self, kind: str, *, where: Mapping[str, Any] | None = None, columns: Sequence[str] | None = None
    ) -> list[Row]:
        """Return objects by id: ``id``, the generated columns, ``seen_at`` and ``raw`` (decoded, amounts Decimal).

        Args:
            kind: of the objects.
            where: column -> value or collection of values.
            columns: only these.
        """
        table = _table(kind)
        wanted = list(columns or (column.name for column in table.columns if column.name != "connection"))
        condition, values = "", {}
        for number, (column, value) in enumerate((where or {}).items()):
            many = isinstance(value, Collection) and not isinstance(value, str)
            condition += f' AND "{table.c[column].name}" = ' + (f"ANY(:v{number})" if many else f":v{number}")
            values[f"v{number}"] = list(value) if many else value
        selected = ", ".join(f'"{table.c[column].name}"' for column in wanted)
        return self.select(
            f"SELECT {selected} FROM jdebill.{table.name} WHERE connection = :connection{condition} ORDER BY id",
            None,
            **values,
        )

    def count(self, kind: str) -> int:
        """Return how many objects of a kind are stored."""
        found = self.select(f"SELECT count(*) AS n FROM jdebill.{_table(kind).name} WHERE connection = :connection")
        return int(found[0]["n"])

    def latest(self, kind: str) -> str | None:
        """Return the greatest ``updatedTime`` stored of a kind, as BILL wrote it; None when there is none."""
        found = self.select(
            f"SELECT max(updated_time) AS t FROM jdebill.{_table(kind).name} WHERE connection = :connection"
        )
        newest: str | None = found[0]["t"]
        return newest

    def payments(self, periods: Sequence[str] | None = None, ids: Iterable[str] | None = None) -> list[Row]:
        """Return payments by the month of their process date and by id."""
        where: dict[str, Any] = {}
        if periods is not None:
            where["period"] = list(periods)
        if ids is not None:
            where["id"] = list(ids)
        return self.read("payments", where=where)

    def payment_lines(
        self,
        periods: Sequence[str] | None = None,
        payment_ids: Iterable[str] | None = None,
        bill_ids: Iterable[str] | None = None,
    ) -> list[Row]:
        """Return which bills payments pay: payment_id, line, id, bill_id, amount, vendor_credits."""
        return self.select(
            _LINES,
            periods=None if periods is None else list(periods),
            payments=None if payment_ids is None else list(payment_ids),
            bills=None if bill_ids is None else list(bill_ids),
        )

    def status_history(
        self, payment_ids: Iterable[str] | None = None, periods: Sequence[str] | None = None
    ) -> list[Row]:
        """Return every status that payments were seen in, in the order of seeing."""
        return self.select(
            _HISTORY,
            payments=None if payment_ids is None else list(payment_ids),
            periods=None if periods is None else list(periods),
        )

    def record_status(
        self,
        payment_id: str,
        single_status: str,
        status: str = "",
        *,
        updated_time: str = "",
        source: str,
        event_id: str = "",
        run_id: str = "",
        tx: sa.Connection | None = None,
    ) -> bool:
        """Append a status seen elsewhere than in a payment, such as in an event; False when it was known."""
        with self.scope.transaction(tx) as open_tx:
            return (
                self.run(
                    open_tx,
                    _RECORD,
                    payment_id=payment_id,
                    single_status=single_status,
                    status=status,
                    updated_time=updated_time,
                    source=source,
                    event_id=event_id,
                    run_id=run_id,
                ).rowcount
                > 0
            )

    def _store(
        self, tx: sa.Connection, kind: str, objects: Sequence[Source], run_id: str, seen_at: datetime, source: str
    ) -> MirrorResult:
        target = f"jdebill.{_table(kind).name}"
        lock_in(tx, "mirror", self.scope.connection, kind)
        tx.execute(sa.text(_LISTED))
        self.run(tx, _FILL, rows="[" + ",".join(_encoded(item) for item in objects) + "]")
        # A list that moved under its reader may hold an object twice; the later one counts. What was read later stays.
        self.run(tx, "DELETE FROM listed a USING listed b WHERE a.id = b.id AND a.n < b.n")
        # Each object is looked up by its key (OFFSET 0 and LIMIT keep the planner from joining): a batch is small
        # beside the table, and the planner knows the size of neither.
        self.run(
            tx,
            f"DELETE FROM listed l WHERE EXISTS (SELECT FROM {target} t WHERE t.connection = :connection "
            "AND t.id = l.id AND t.seen_at > :seen_at OFFSET 0)",
            seen_at=seen_at,
        )
        if kind == "vendors":
            self.run(tx, _KEEP_VENDOR_PARTS)
        changed = self.run(
            tx,
            f"SELECT count(*) FROM listed l LEFT JOIN LATERAL (SELECT o.raw FROM {target} o "
            "WHERE o.connection = :connection AND o.id = l.id LIMIT 1) AS t ON true WHERE t.raw IS DISTINCT FROM l.raw",
        ).scalar_one()
        if kind == "vendors":
            self.run(tx, _PUT_VENDOR_CHANGES, run_id=run_id)
        written = self.run(
            tx,
            f"INSERT INTO {target} (connection, id, raw, seen_at, run_id) "
            "SELECT :connection, l.id, l.raw, :seen_at, :run_id FROM listed l ORDER BY l.id "
            "ON CONFLICT (connection, id) DO UPDATE SET raw = excluded.raw, seen_at = excluded.seen_at, "
            "run_id = excluded.run_id",
            seen_at=seen_at,
            run_id=run_id,
        ).rowcount
        if kind == "payments":
            self.run(tx, _PUT_STATUS, source=source, run_id=run_id)
            self.run(tx, _DROP_LINES)
            self.run(tx, _PUT_LINES)
        return MirrorResult(written, int(changed))


def _table(kind: str) -> sa.Table:
    try:
        return MIRROR[kind]
    except KeyError:
        raise ValueError(f"no mirror of {kind!r}: known are {', '.join(MIRROR)}") from None


def _encoded(item: Source) -> str:
    return item.decode("utf-8") if isinstance(item, bytes) else encode_json(item)


def _chunks(objects: Iterable[Source]) -> Iterator[list[Source]]:
    iterator = iter(objects)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


# Kept for the session: to make and drop a table for each batch would fill the catalogue.
_LISTED = "CREATE TEMP TABLE IF NOT EXISTS listed (id text, raw jsonb, n bigint) ON COMMIT DELETE ROWS"
_FILL = """
INSERT INTO listed SELECT e.value->>'id', e.value, e.ordinality
FROM jsonb_array_elements(CAST(:rows AS jsonb)) WITH ORDINALITY AS e
"""
_PUT_STATUS = """
INSERT INTO jdebill.bill_payment_status_history (connection, payment_id, single_status, status, updated_time, source,
  run_id)
SELECT :connection, l.id, coalesce(l.raw->>'singleStatus', ''), coalesce(l.raw->>'status', ''),
  coalesce(l.raw->>'updatedTime', ''), :source, :run_id
FROM listed l ORDER BY l.raw->>'updatedTime', l.id
ON CONFLICT ON CONSTRAINT uq_bill_payment_status_history_observation DO NOTHING
"""
# A row that leaves a part out (lists may be thinner than single objects) says nothing about it: what was known stays,
# or a change behind such a row would be lost. It may also leave out the bank account of a vendor that has one; seeing
# that for the first time is no change. What was known of the payment is as old as its last reading: so is the time.
_KEEP_VENDOR_PARTS = """
UPDATE listed l SET raw = l.raw || k.parts || CASE WHEN k.parts ? 'paymentInformation' THEN k.times ELSE '{}' END
FROM (
  SELECT n.id, jsonb_strip_nulls(jsonb_build_object('updatedTime', t.raw->'updatedTime')) AS times,
    jsonb_object_agg(p.part, CASE WHEN jsonb_typeof(n.raw->p.part) = 'object'
      THEN (n.raw->p.part) || jsonb_build_object('bankAccount', a.old) ELSE t.raw->p.part END) AS parts
  FROM listed n JOIN jdebill.bill_vendors t ON t.connection = :connection AND t.id = n.id
  CROSS JOIN LATERAL (SELECT nullif(t.raw#>'{paymentInformation,bankAccount}', 'null') AS old,
    nullif(n.raw#>'{paymentInformation,bankAccount}', 'null') AS new,
    coalesce(n.raw->>'bankAccountStatus', '') NOT IN ('', 'NO_ACCOUNT', 'UNDEFINED') AS has_one) AS a
  CROSS JOIN (VALUES ('address'), ('paymentInformation'), ('additionalInfo')) AS p(part)
  WHERE jsonb_typeof(t.raw->p.part) = 'object' AND (coalesce(n.raw->p.part, 'null') = 'null'
    OR p.part = 'paymentInformation' AND a.has_one AND a.old IS NOT NULL AND a.new IS NULL)
  GROUP BY n.id, t.raw->'updatedTime'
) AS k WHERE l.id = k.id
"""
_PUT_VENDOR_CHANGES = """
INSERT INTO jdebill.bill_vendor_changes (connection, vendor_id, field, before, after, updated_time, run_id)
SELECT :connection, l.id, c.field, c.before, c.after, coalesce(l.raw->>'updatedTime', ''), :run_id
FROM listed l JOIN jdebill.bill_vendors t ON t.connection = :connection AND t.id = l.id AND t.raw <> l.raw
CROSS JOIN LATERAL (VALUES
  ('bank_account', 'paymentInformation', t.raw#>'{paymentInformation,bankAccount}',
    l.raw#>'{paymentInformation,bankAccount}',
    '*' || right(t.raw#>>'{paymentInformation,bankAccount,accountNumber}', 4),
    '*' || right(l.raw#>>'{paymentInformation,bankAccount,accountNumber}', 4)),
  ('pay_by', 'paymentInformation', t.raw#>'{paymentInformation,payByType}', l.raw#>'{paymentInformation,payByType}',
    t.raw#>>'{paymentInformation,payByType}', l.raw#>>'{paymentInformation,payByType}'),
  ('address', 'address', t.raw->'address', l.raw->'address',
    concat_ws(', ', t.raw#>>'{address,line1}', t.raw#>>'{address,city}', t.raw#>>'{address,zipOrPostalCode}'),
    concat_ws(', ', l.raw#>>'{address,line1}', l.raw#>>'{address,city}', l.raw#>>'{address,zipOrPostalCode}')),
  ('name', 'name', t.raw->'name', l.raw->'name', t.raw->>'name', l.raw->>'name'),
  ('tax_id', 'additionalInfo', t.raw#>'{additionalInfo,taxId}', l.raw#>'{additionalInfo,taxId}', '', '')
) AS e(field, part, old, new, old_shown, new_shown)
CROSS JOIN LATERAL (SELECT e.field, coalesce(e.old_shown, '') AS before, coalesce(e.new_shown, '') AS after) AS c
WHERE t.raw->e.part <> 'null' AND l.raw->e.part <> 'null'
AND nullif(e.old, 'null') IS DISTINCT FROM nullif(e.new, 'null')
AND NOT (e.field = 'bank_account' AND nullif(e.old, 'null') IS NULL
  AND coalesce(t.raw->>'bankAccountStatus', '') NOT IN ('', 'NO_ACCOUNT', 'UNDEFINED'))
ORDER BY l.id, c.field
"""
_RECORD = """
INSERT INTO jdebill.bill_payment_status_history (connection, payment_id, single_status, status, updated_time, source,
  event_id, run_id)
VALUES (:connection, :payment_id, :single_status, :status, :updated_time, :source, :event_id, :run_id)
ON CONFLICT ON CONSTRAINT uq_bill_payment_status_history_observation DO NOTHING
"""
_DROP_LINES = """
DELETE FROM jdebill.bill_payment_lines p USING listed l WHERE p.connection = :connection AND p.payment_id = l.id
"""
# A payment of exactly one bill may name it at the top level only (BILL API v3).
_PUT_LINES = """
INSERT INTO jdebill.bill_payment_lines (connection, payment_id, line, id, bill_id, amount, vendor_credits)
SELECT :connection, l.id, e.ordinality, coalesce(e.value->>'id', ''), coalesce(e.value->>'billId', ''),
  CAST(coalesce(e.value->>'amount', '0') AS numeric), coalesce(nullif(e.value->'vendorCredits', 'null'), '[]')
FROM listed l CROSS JOIN LATERAL jsonb_array_elements(
  CASE WHEN jsonb_typeof(l.raw->'billPayments') = 'array' AND l.raw->'billPayments' <> '[]' THEN l.raw->'billPayments'
    WHEN l.raw->>'billId' <> ''
      THEN jsonb_build_array(jsonb_build_object('billId', l.raw->'billId', 'amount', l.raw->'amount'))
    ELSE '[]' END) WITH ORDINALITY AS e
ORDER BY l.id, e.ordinality
"""
_LINES = """
SELECT b.payment_id, b.line, b.id, b.bill_id, b.amount, b.vendor_credits FROM jdebill.bill_payment_lines b
JOIN jdebill.bill_payments p ON p.connection = b.connection AND p.id = b.payment_id
WHERE b.connection = :connection
AND (CAST(:periods AS text[]) IS NULL OR p.period = ANY(:periods))
AND (CAST(:payments AS text[]) IS NULL OR b.payment_id = ANY(:payments))
AND (CAST(:bills AS text[]) IS NULL OR b.bill_id = ANY(:bills))
ORDER BY b.payment_id, b.line
"""
_HISTORY = """
SELECT h.payment_id, h.single_status, h.status, h.updated_time, h.observed_at, h.source, h.event_id, h.run_id
FROM jdebill.bill_payment_status_history h WHERE h.connection = :connection
AND (CAST(:payments AS text[]) IS NULL OR h.payment_id = ANY(:payments))
AND (CAST(:periods AS text[]) IS NULL OR EXISTS (SELECT FROM jdebill.bill_payments p WHERE p.connection = h.connection
  AND p.id = h.payment_id AND p.period = ANY(:periods)))
ORDER BY h.seq
"""

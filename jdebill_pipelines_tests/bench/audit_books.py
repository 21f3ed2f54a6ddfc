"""A month of books in our database, made by set-based SQL: documents, their bills, payments, postings and journal.

Belongs here: rows as a synchronised and paid month leaves them. Does not belong here: measuring (audit_month.py).

Everything agrees: nothing is open without a reason, and what is paid is posted. Three of five documents are paid.
"""

# ruff: noqa: E501 - lists of columns
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import sqlalchemy as sa

from jdebill_pipelines.domain.tables import AUDITED
from jdebill_pipelines.store.journal import Entry
from jdebill_pipelines.store.store import Store

NAME = "bench"
PAID_OF_FIVE = 3
BATCH = 200  # vouchers
_JOURNAL_CHUNK = 2_000

_MASTER = """
INSERT INTO jdebill.stg_f0010 (connection, extracted_at, run_id, co, name, crcd, dtpn, dfyj, pnc, apfj, appn, nnp)
  VALUES (:c, now(), 'b', '00001', 'Acme', 'USD', 'R', :year, 12, :year, 12, 12);
INSERT INTO jdebill.stg_f0008 (connection, extracted_at, run_id, dtpn, fy, ctry, dfyj, d01j, d02j, d03j, d04j, d05j, d06j,
    d07j, d08j, d09j, d10j, d11j, d12j, d13j, d14j)
  SELECT :c, now(), 'b', 'R', extract(year FROM y)::int % 100, extract(year FROM y)::int / 100, y, e[1], e[2], e[3], e[4],
    e[5], e[6], e[7], e[8], e[9], e[10], e[11], e[12], e[12], e[12]
  FROM (SELECT CAST(:year AS date) AS y, array_agg((CAST(:year AS date) + make_interval(months => n) - interval '1 day')::date
    ORDER BY n) AS e FROM generate_series(1, 12) AS n) AS s;
INSERT INTO jdebill.stg_f0013 (connection, extracted_at, run_id, crcd, cdec) VALUES (:c, now(), 'b', 'USD', '2');
INSERT INTO jdebill.stg_f0901 (connection, extracted_at, run_id, aid, co, mcu, obj, dl01)
  VALUES (:c, now(), 'b', '00000100', '00001', '1', '4110', 'Accounts Payable Trade'),
    (:c, now(), 'b', '00000123', '00001', '1', '1110', 'Bank'), (:c, now(), 'b', '00000200', '00001', '110', '8110', 'Cost');
INSERT INTO jdebill.stg_f0101 (connection, extracted_at, run_id, an8, alph)
  SELECT :c, now(), 'b', 60000 + n, 'Supplier ' || n FROM generate_series(0, :suppliers - 1) AS n;
INSERT INTO jdebill.bill_vendors (connection, id, raw, seen_at, run_id)
  SELECT :c, '009v' || lpad(n::text, 16, '0'), jsonb_build_object('id', '009v' || lpad(n::text, 16, '0'), 'name',
    'Supplier ' || n, 'billCurrency', 'USD'), now(), 'b' FROM generate_series(0, :suppliers - 1) AS n;
INSERT INTO jdebill.links (connection, kind, natural_key, remote_id, origin, run_id)
  SELECT :c, 'vendor', (60000 + n)::text, '009v' || lpad(n::text, 16, '0'), 'created', 'b'
  FROM generate_series(0, :suppliers - 1) AS n;
"""

# One row per document: number, day, amount, whether it is paid, and all names that follow from them.
_DOCUMENTS = """
CREATE TEMP TABLE doc AS
SELECT n, 700000 + n AS doc, CAST(:first AS date) + (n / :batch) % 26 AS day, round(100 + (n::bigint * 113 % 10000019) / 100.0, 2) AS amount,
  n % 5 < :paid AS is_paid, n / :batch AS batch, 60000 + n % :suppliers AS an8,
  '009v' || lpad((n % :suppliers)::text, 16, '0') AS vendor, '00n0' || lpad(n::text, 16, '0') AS bill,
  'stp0' || lpad(n::text, 16, '0') AS payment, '00001-PV-' || (700000 + n) AS key,
  'stp0' || lpad(n::text, 16, '0') || '/' || substr(md5(n::text), 1, 9) AS reference, 1000000 + n AS pyid
FROM generate_series(0, :documents - 1) AS n;
ALTER TABLE doc ADD PRIMARY KEY (n);
ANALYZE doc;
"""

_JDE = """
INSERT INTO jdebill.aud_f0411 (connection, period, extracted_at, run_id, doc, dct, kco, sfx, sfxe, co, an8, pye, vinv, divj,
    dgj, ddj, fy, ctry, pn, icu, icut, pst, post, ag, aap, crrm, crcd, bcrc, "user", upmj)
  SELECT :c, :month, now(), 'b', doc, 'PV', '00001', '001', 0, '00001', an8, an8, 'INV-' || n, day - 3, day, day + 27,
    :fy, :ctry, :pn, batch + 1, 'V', CASE WHEN is_paid THEN 'P' ELSE 'A' END, 'D', amount,
    CASE WHEN is_paid THEN 0 ELSE amount END, 'D', 'USD', 'USD', 'CLERK' || n % 7, day FROM doc;
INSERT INTO jdebill.aud_f0911 (connection, period, extracted_at, run_id, doc, dct, kco, dgj, jeln, lt, extl, post, icu, icut,
    co, aid, mcu, obj, fy, ctry, pn, crcd, crrm, aa, exr, an8, pyid, "user", upmj)
  SELECT :c, :month, now(), 'b', doc, 'PV', '00001', day, 1, 'AA', '', 'P', batch + 1, 'V', '00001', '00000200', '110', '8110',
    :fy, :ctry, :pn, 'USD', 'D', amount, '', an8, 0, 'CLERK' || n % 7, day FROM doc
  UNION ALL
  SELECT :c, :month, now(), 'b', batch + 1, 'AE', '00001', day, 1, 'AA', '', 'P', batch + 1, 'V', '00001', '00000100', '1',
    '4110', :fy, :ctry, :pn, 'USD', 'D', -sum(amount), '', 0, 0, 'POST', day FROM doc GROUP BY batch, day
  UNION ALL
  SELECT :c, :month, now(), 'b', 30000 + n, 'PN', '00001', day + 1, l, 'AA', '', 'P', 5000000 + n, 'M', '00001',
    CASE l WHEN 1 THEN '00000100' ELSE '00000123' END, '1', CASE l WHEN 1 THEN '4110' ELSE '1110' END, :fy, :ctry, :pn, 'USD',
    'D', CASE l WHEN 1 THEN amount ELSE -amount END, reference, an8, pyid, 'JDEBILL', day + 1
  FROM doc CROSS JOIN generate_series(1, 2) AS l WHERE is_paid;
INSERT INTO jdebill.aud_f0413 (connection, period, extracted_at, run_id, pyid, dctm, docm, pye, glba, dmtj, icu, icut, paap,
    crcd, crrm, istp, "user", upmj)
  SELECT :c, :month, now(), 'b', pyid, 'PN', 30000 + n, an8, '00000123', day + 1, 5000000 + n, 'M', amount, 'USD', 'D', 'D',
    'JDEBILL', day + 1 FROM doc WHERE is_paid;
INSERT INTO jdebill.aud_f0414 (connection, period, extracted_at, run_id, pyid, rc5, dctm, kco, dct, doc, sfx, sfxe, paap, crcd,
    crrm, post, an8, co, rmk, pn, fy, ctry, upmj)
  SELECT :c, '', now(), 'b', pyid, 1, 'PN', '00001', 'PV', doc, '001', 0, amount, 'USD', 'D', 'D', an8, '00001', reference,
    :pn, :fy, :ctry, day + 1 FROM doc WHERE is_paid;
INSERT INTO jdebill.aud_f0011 (connection, extracted_at, run_id, icut, icu, ist, iapp, "user", dicj, docn, upmj)
  SELECT :c, now(), 'b', 'V', batch + 1, 'D', 'A', 'CLERK1', min(day), count(*), min(day) FROM doc GROUP BY batch
  UNION ALL
  SELECT :c, now(), 'b', 'M', 5000000 + n, 'D', 'A', 'JDEBILL', day + 1, 1, day + 1 FROM doc WHERE is_paid;
INSERT INTO jdebill.aud_f0902 (connection, extracted_at, run_id, aid, ctry, fy, fq, lt, sbl, sblt, crcd, co, an01, an02, an03,
    an04, an05, an06, an07, an08, an09, an10, an11, an12)
  SELECT :c, now(), 'b', '00000100', :ctry, :fy, '', 'AA', '', '', '', '00001', a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8],
    a[9], a[10], a[11], a[12]
  FROM (SELECT array_agg(CASE WHEN p = :pn THEN s.net ELSE 0 END ORDER BY p) AS a FROM generate_series(1, 12) AS p,
    (SELECT -coalesce(sum(amount) FILTER (WHERE NOT is_paid), 0) AS net FROM doc) AS s) AS b;
"""

_BILL = r"""
INSERT INTO jdebill.bill_bills (connection, id, raw, seen_at, run_id)
  SELECT :c, bill, jsonb_build_object('id', bill, 'vendorId', vendor, 'amount', amount, 'archived', false,
    'dueAmount', CASE WHEN is_paid THEN 0 ELSE amount END, 'paidAmount', CASE WHEN is_paid THEN amount ELSE 0 END,
    'paymentStatus', CASE WHEN is_paid THEN 'PAID' ELSE 'UNPAID' END, 'approvalStatus', 'APPROVED', 'createdBy', 'u1',
    'invoice', jsonb_build_object('invoiceNumber', 'INV-' || n, 'invoiceDate', day - 3), 'dueDate', day + 27,
    'createdTime', day || 'T10\:00\:00Z', 'updatedTime', day || 'T10\:00\:00Z',
    'billLineItems', jsonb_build_array(jsonb_build_object('amount', amount, 'classifications',
      jsonb_build_object('chartOfAccountId', '0ca1', 'departmentId', 'dep1')))), now(), 'b' FROM doc;
INSERT INTO jdebill.bill_payments (connection, id, raw, seen_at, run_id)
  SELECT :c, payment, jsonb_build_object('id', payment, 'vendorId', vendor, 'vendorName', 'Supplier ' || an8, 'amount', amount,
    'processDate', day + 1, 'status', 'SCHEDULED', 'singleStatus', 'PROCESSED', 'disbursementType', 'ACH', 'onlinePayment', true,
    'createdBy', 'u2', 'createdTime', day || 'T12\:00\:00Z', 'updatedTime', (day + 1) || 'T09\:00\:00Z',
    'billPayments', jsonb_build_array(jsonb_build_object('billId', bill, 'amount', amount))), now(), 'b' FROM doc WHERE is_paid;
INSERT INTO jdebill.bill_payment_lines (connection, payment_id, line, bill_id, amount)
  SELECT :c, payment, 1, bill, amount FROM doc WHERE is_paid;
INSERT INTO jdebill.bill_payment_status_history (connection, payment_id, single_status, status, updated_time, source, event_id)
  SELECT :c, payment, s.name, 'SCHEDULED', (day + 1) || 'T0' || s.at || '\:00\:00Z', 'webhook', 'evt' || n || s.at
  FROM doc CROSS JOIN (VALUES ('SCHEDULED', 1), ('FUNDING_STARTED', 5), ('PROCESSED', 9)) AS s(name, at) WHERE is_paid;
"""

_OURS = """
CREATE TEMP TABLE made AS
SELECT n, 'bill' AS kind, key AS natural_key, bill AS remote_id, 'bills' AS gate, 'create' AS operation, amount, an8::text AS party,
  jsonb_build_object('vendorId', vendor, 'invoice', jsonb_build_object('invoiceNumber', 'INV-' || n, 'invoiceDate', day - 3),
    'dueDate', day + 27, 'billLineItems', jsonb_build_array(jsonb_build_object('amount', amount, 'classifications',
      jsonb_build_object('chartOfAccountId', '0ca1', 'departmentId', 'dep1')))) AS content
FROM doc
UNION ALL
SELECT n, 'posting', concat_ws(':', payment, bill, 'post'), 'PYID-' || pyid, 'postings', 'post', amount, an8::text,
  jsonb_build_object('route', 'payment', 'reference', reference, 'company', '00001', 'currency', 'USD', 'gl_date', day + 1,
    'payment_date', day + 1, 'amount', amount, 'payee', an8, 'bank_account', '00000123', 'vouchers', jsonb_build_array(
    jsonb_build_object('document_company', '00001', 'document_type', 'PV', 'document_number', doc, 'pay_item', '001',
      'amount', amount, 'discount', 0))) FROM doc WHERE is_paid;
INSERT INTO jdebill.writes (connection, kind, natural_key, generation, gate, operation, state, content, content_hash, payload,
    payload_digest, remote_id, period, amount, currency, party, fence, worker, lease_until, run_id, settled_at)
  SELECT :c, kind, natural_key, 1, gate, operation, 'confirmed', content, jdebill.content_hash(kind, content), content::text,
    jdebill.digest(content::text), remote_id, :month, amount, 'USD', party, 1, 'w', now(), 'b', now() FROM made ORDER BY kind, n;
INSERT INTO jdebill.verdicts (connection, gate, kind, natural_key, content_hash, passed, run_id)
  SELECT connection, gate, kind, natural_key, content_hash, true, 'b' FROM jdebill.writes WHERE connection = :c;
INSERT INTO jdebill.links (connection, kind, natural_key, remote_id, content_hash, origin, run_id)
  SELECT connection, kind, natural_key, remote_id, content_hash, 'created', 'b' FROM jdebill.writes WHERE connection = :c;
INSERT INTO jdebill.drafts (connection, kind, natural_key, gate, period, operation, status, content, content_hash, amount,
    currency, party, source, details, run_id)
  SELECT connection, kind, natural_key, gate, period, operation, 'due', content, content_hash, amount, currency, party,
    'F0411', jsonb_build_object('company', '00001'), 'b' FROM jdebill.writes WHERE connection = :c;
DROP TABLE doc, made;
"""


def fill(store: Store, documents: int, first: date) -> None:
    """Write the books of a month.

    Args:
        store: of the connection ``bench``, on an empty migrated database.
        documents: how many vouchers.
        first: the first day of the month.
    """
    values = {
        "c": NAME, "documents": documents, "suppliers": max(documents // 50, 1), "first": first, "batch": BATCH,
        "paid": PAID_OF_FIVE, "month": f"{first:%Y-%m}", "year": first.replace(month=1, day=1), "pn": first.month,
        "fy": first.year % 100, "ctry": first.year // 100,
    }  # fmt: skip
    with store.transaction() as tx:
        for script in (_MASTER, _DOCUMENTS, _JDE, _BILL, _OURS):
            for statement in script.split(";\n"):
                if statement.strip():
                    tx.execute(sa.text(statement), {n: v for n, v in values.items() if f":{n}" in statement})
    now = datetime.now(UTC)
    for table in AUDITED.values():
        store.staging.merge(table, [], run_id="b", extracted_at=now)
    for chunk in _entries(store):
        store.journal.append(chunk)
    with store.engine.connect() as plain:
        plain.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


def _entries(store: Store) -> Iterator[list[Entry]]:
    """One journal entry per write, as settling it leaves it."""
    after = 0
    while True:
        with store.transaction() as tx:
            rows = tx.execute(
                sa.text(
                    "SELECT id, kind, natural_key, remote_id, payload_digest FROM jdebill.writes "
                    "WHERE connection = :c AND id > :after ORDER BY id LIMIT :n"
                ),
                {"c": NAME, "after": after, "n": _JOURNAL_CHUNK},
            ).all()
        if not rows:
            return
        after = rows[-1].id
        yield [
            Entry(event="confirmed", kind=r.kind, natural_key=r.natural_key, remote_id=r.remote_id, run_id="b",
                  request_digest=r.payload_digest, body={"write": r.id})
            for r in rows
        ]  # fmt: skip

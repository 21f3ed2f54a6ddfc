"""What both systems say of each payment, as parts of queries: the state in BILL at the cut-off, the posting in JDE.

Belongs here: common table expressions that several procedures start with. Does not belong here: a procedure.

``paid`` has one row per payment and bill of it, ``posted`` one per document that stands in JDE for a payment. JDE's
documents are found by what JDE holds (our reference is in F0414.RMK and F0911.EXR, form ``payment/digest``), and by our
links only where JDE does not keep the reference: so a posting that was done twice, or by somebody else, is seen.
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.domain.payment_states import PROGRESS, SINGLE_STATES, STATES, PaymentState


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _states() -> str:
    """The table of payment states (docs/payment-states.md) as VALUES: field, name, action, rank of its progress."""

    def row(field: str, state: PaymentState, name: str = "") -> str:
        rank = PROGRESS.index(state.as_far_as) if state.as_far_as else -1
        return f"({_quoted(field)}, {_quoted(name or state.name)}, {_quoted(state.action)}, {rank})"

    rows = [row("single", s) for s in SINGLE_STATES] + [row("status", s) for s in STATES]
    rows += [row("single", s, "CANCELLED") for s in SINGLE_STATES if s.name == "CANCELED"]
    rows += [row("status", s, "CANCELED") for s in STATES if s.name == "CANCELLED"]
    return ",\n    ".join(rows)


_PROGRESS = ", ".join(f"({_quoted(name)}, {rank})" for rank, name in enumerate(PROGRESS))
CUT_OFF = "(CAST(:last AS date) + 1)::timestamp AT TIME ZONE :timezone"

# The state is the last one seen before the cut-off; of a payment that was seen only later, the present one.
# A payment that ended after the cut-off stood at it.
STATES_AT_CUT_OFF = f"""
states(field, name, action, rank) AS (VALUES
    {_states()}),
progress(name, rank) AS (VALUES {_PROGRESS}),
payment AS MATERIALIZED (
  SELECT p.id, p.vendor_id, p.raw, p.process_date::date AS process_date, p.amount,
    coalesce(p.raw->>'onlinePayment', '') <> 'false' AS online,
    upper(coalesce(h.single_status, p.single_status, '')) AS single_status,
    upper(coalesce(h.status, p.status, '')) AS status,
    upper(coalesce(p.single_status, '')) AS single_status_now, upper(coalesce(p.status, '')) AS status_now,
    (coalesce(v.updated, p.updated_time)::timestamptz AT TIME ZONE :timezone)::date AS changed_on,
    coalesce(v.reason, '') AS void_reason, coalesce(v.kind, '') AS void_kind, p.updated_time
  FROM jdebill.bill_payments p
  LEFT JOIN LATERAL (
    SELECT s.single_status, s.status FROM jdebill.bill_payment_status_history s
    WHERE s.connection = p.connection AND s.payment_id = p.id AND s.updated_time <> ''
      AND s.updated_time::timestamptz < {CUT_OFF}
    ORDER BY s.updated_time::timestamptz DESC, s.seq DESC LIMIT 1) AS h ON true
  LEFT JOIN LATERAL (
    SELECT e.value->>'updatedTime' AS updated, e.value->>'reason' AS reason, e.value->>'type' AS kind
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(p.raw->'voidInfo') = 'array' THEN p.raw->'voidInfo' ELSE '[]' END)
      WITH ORDINALITY AS e
    WHERE coalesce(e.value->>'status', 'ACCEPTED') IN ('ACCEPTED', 'TO_BE_PROCESSED')
    ORDER BY e.ordinality DESC LIMIT 1) AS v ON true
  WHERE p.connection = :connection AND p.process_date IS NOT NULL AND p.process_date::date >= :start
),
decided AS MATERIALIZED (
  SELECT p.*, s.name AS state, CASE
      WHEN s.action IS NULL THEN 'review'
      WHEN s.action = 'reverse' AND p.changed_on > :last THEN 'post'
      WHEN s.action <> 'post' OR (NOT p.online AND s.field = 'status' AND s.name = 'PAID') THEN s.action
      WHEN s.rank < (SELECT rank FROM progress WHERE name = :post_when) THEN 'nothing' ELSE 'post' END AS action
  FROM payment p LEFT JOIN LATERAL (
    SELECT s.* FROM states s WHERE
      CASE WHEN NOT p.online AND p.status NOT IN ('', 'UNDEFINED') THEN s.field = 'status' AND s.name = p.status
        WHEN p.single_status NOT IN ('', 'UNDEFINED') THEN s.field = 'single' AND s.name = p.single_status
        WHEN p.status <> '' THEN s.field = 'status' AND s.name = p.status
        ELSE s.field = 'single' AND s.name = 'UNDEFINED' END
    LIMIT 1) AS s ON true
)
"""

# One row per payment and bill: two links of one payment to one bill are one posting.
PAID = f"""
{STATES_AT_CUT_OFF},
paid AS MATERIALIZED (
  SELECT d.id AS payment_id, l.bill_id, concat_ws(':', d.id, l.bill_id, 'post') AS posting,
    sum(l.amount) AS amount, d.process_date, d.vendor_id, d.state, d.action,
    d.changed_on, d.void_reason, d.void_kind, d.raw->>'createdBy' AS payer,
    coalesce(max(d.raw->>'vendorName'), '') AS vendor, coalesce(max(v.raw->>'billCurrency'), '') AS currency,
    coalesce(max(b.raw->'invoice'->>'invoiceNumber'), '') AS invoice_number,
    coalesce(max(k.natural_key), '') AS document
  FROM decided d
  JOIN jdebill.bill_payment_lines l ON l.connection = :connection AND l.payment_id = d.id
  LEFT JOIN jdebill.bill_bills b ON b.connection = :connection AND b.id = l.bill_id
  LEFT JOIN jdebill.bill_vendors v ON v.connection = :connection AND v.id = d.vendor_id
  LEFT JOIN jdebill.links k ON k.connection = :connection AND k.kind = 'bill' AND k.remote_id = l.bill_id
  GROUP BY d.id, l.bill_id, d.process_date, d.vendor_id, d.state, d.action, d.changed_on, d.void_reason, d.void_kind,
    d.raw->>'createdBy'
)
"""

# The reference of every posting that was sent, whatever became of it.
POSTED = """
sent AS MATERIALIZED (
  SELECT DISTINCT ON (w.content->>'reference') w.content->>'reference' AS reference, w.natural_key,
    split_part(w.natural_key, ':', 1) AS payment_id, split_part(w.natural_key, ':', 2) AS bill_id,
    (w.content->>'gl_date')::date AS gl_date, (w.content->>'amount')::numeric AS amount, w.run_id, w.settled_at
  FROM jdebill.writes w
  WHERE w.connection = :connection AND w.kind = 'posting' AND w.operation = 'post'
  ORDER BY w.content->>'reference', w.id DESC
),
linked AS MATERIALIZED (
  SELECT l.remote_id, l.natural_key, l.confirmed_at FROM jdebill.links l
  WHERE l.connection = :connection AND l.kind = 'posting' AND split_part(l.natural_key, ':', 3) = 'post'
),
paid_in_jde AS MATERIALIZED (
  SELECT d.pyid, max(d.rmk) FILTER (WHERE d.dctm <> 'PO') AS reference, max(d.co) AS company,
    abs(sum(CASE WHEN d.crrm = 'F' THEN d.pfap ELSE d.paap END) FILTER (WHERE d.dctm <> 'PO')) AS amount,
    max(d.crcd) AS currency, max(d.ctry * 100 + d.fy) FILTER (WHERE d.dctm <> 'PO') AS fiscal_year,
    max(d.pn) FILTER (WHERE d.dctm <> 'PO') AS fiscal_period,
    string_agg(DISTINCT d.kco || '-' || d.dct || '-' || d.doc, ' ' ORDER BY d.kco || '-' || d.dct || '-' || d.doc)
      AS vouchers
  FROM jdebill.aud_f0414 d WHERE d.connection = :connection GROUP BY d.pyid
),
posted AS MATERIALIZED (
  SELECT coalesce(s.natural_key, k.natural_key) AS natural_key, 'PYID-' || p.pyid AS document, 'payment' AS route,
    coalesce(s.payment_id, split_part(k.natural_key, ':', 1), split_part(p.reference, '/', 1)) AS payment_id,
    coalesce(s.bill_id, split_part(k.natural_key, ':', 2), '') AS bill_id,
    p.amount, p.currency, g.gl_date, p.fiscal_year, p.fiscal_period, p.company, p.vouchers, p.reference,
    h.dmtj AS payment_date, h.vdgj AS voided_on, h.icut || ' ' || h.icu AS batch, h."user" AS entered_by,
    h.docm AS payment_number, k.remote_id IS NOT NULL AS confirmed,
    h.pyid IS NOT NULL AND (h.vdgj IS NULL OR h.vdgj > :last) AS stands
  FROM paid_in_jde p
  LEFT JOIN jdebill.aud_f0413 h ON h.connection = :connection AND h.pyid = p.pyid
  LEFT JOIN sent s ON s.reference = p.reference
  LEFT JOIN linked k ON k.remote_id = 'PYID-' || p.pyid
  LEFT JOIN LATERAL (SELECT min(f.dgj) AS gl_date FROM jdebill.aud_f0911 f WHERE f.connection = :connection
    AND f.doc = h.docm AND f.dct = h.dctm AND f.icut = h.icut AND f.icu = h.icu) AS g ON true
  WHERE s.reference IS NOT NULL OR k.remote_id IS NOT NULL OR p.reference ~ '^[^/]+/[0-9a-f]{9}$'
  UNION ALL
  SELECT coalesce(s.natural_key, k.natural_key), f.kco || '-' || f.dct || '-' || f.doc, 'journal',
    coalesce(s.payment_id, split_part(k.natural_key, ':', 1)), coalesce(s.bill_id, split_part(k.natural_key, ':', 2)),
    sum(f.amount) FILTER (WHERE f.amount > 0), max(f.currency), min(f.dgj), max(f.fiscal_year), max(f.pn), max(f.co),
    '', coalesce(max(s.reference), ''), min(f.dgj), NULL::date, max(f.icut || ' ' || f.icu), max(f."user"),
    max(f.doc), bool_or(k.remote_id IS NOT NULL), NOT EXISTS (
      SELECT FROM jdebill.links r JOIN jdebill.aud_f0911 o ON o.connection = r.connection
        AND r.remote_id = o.kco || '-' || o.dct || '-' || o.doc AND o.dgj <= :last
      WHERE r.connection = :connection AND r.kind = 'posting'
        AND r.natural_key = concat_ws(':', coalesce(s.payment_id, split_part(k.natural_key, ':', 1)),
          coalesce(s.bill_id, split_part(k.natural_key, ':', 2)), 'reverse'))
  FROM (
    SELECT j.*, j.ctry * 100 + j.fy AS fiscal_year, j.crcd AS currency, j.aa AS amount
    FROM jdebill.aud_f0911 j WHERE j.connection = :connection AND j.icut IN ('', 'G') AND j.dct <> 'AE'
      AND j.lt = CASE WHEN j.crrm = 'F' THEN 'CA' ELSE 'AA' END) AS f
  LEFT JOIN sent r ON r.reference = f.exr
  LEFT JOIN sent e ON e.reference = f.exa AND r.reference IS NULL
  CROSS JOIN LATERAL (SELECT coalesce(r.reference, e.reference) AS reference,
    coalesce(r.natural_key, e.natural_key) AS natural_key, coalesce(r.payment_id, e.payment_id) AS payment_id,
    coalesce(r.bill_id, e.bill_id) AS bill_id) AS s
  LEFT JOIN linked k ON k.remote_id = f.kco || '-' || f.dct || '-' || f.doc
  WHERE s.reference IS NOT NULL OR k.remote_id IS NOT NULL
  GROUP BY s.natural_key, k.natural_key, s.payment_id, s.bill_id, f.kco, f.dct, f.doc
)
"""

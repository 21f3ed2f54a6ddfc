"""Invoices that are in the books twice, and suppliers that may be one.

Belongs here: the tests for duplicates and their disposition. Does not belong here: payments posted twice
(postings.py).

A finding is disposed of by a person's note (`jdebill audit note`) under its key, or by an override of the document.
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape

NEAR_DAYS = 14

# Upper case; the words for "invoice" in front, leading zeros of every group of digits, and separators go; letters that
# are typed for digits become digits. A zero in front may be typed as O (OO42 is 0042); an O in a word (PO42) is none.
# A word in front goes before a separator (INV A-42) or a digit (INV42), so that INVERTER stays one.
_WORDS = "INVOICE|INVOIC|INV|RECHNUNG|FACTURE|FACTURA|BILL|NUMBER|NO|NR"
NORMALISED = rf"""translate(
  regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(upper({{number}}),
  '^[^[:alnum:]]*(({_WORDS})[^[:alnum:]]+)+(?=[[:alnum:]])', ''),
  '(^|[^A-Z0-9]|[A-HJKMNP-Z](?=0))[0O]+([OIL]*[0-9])', '\1\2', 'g'), '[^[:alnum:]]', '', 'g'),
  '^({_WORDS})+([OIL]*[0-9])', '\2'),
  '^[0O]+(?![A-HJKMNP-Z])', ''), 'OIL', '011')"""

# Every voucher that stands, and every bill in BILL that none of ours is.
_INVOICES = f"""
invoice AS MATERIALIZED (
  SELECT v.kco || '-' || v.dct || '-' || v.doc AS document, v.an8::text AS supplier, min(v.vinv) AS number,
    min(v.divj) AS invoice_date, min(v.dgj) AS entered_for, sum(CASE WHEN v.crrm = 'F' THEN v.acr ELSE v.ag END)
      AS amount, min(v.crcd) AS currency, max(v.torg) AS entered_by
  FROM jdebill.aud_f0411 v
  WHERE v.connection = :connection AND v.sfxe = 0 AND v.dgj <= :last AND v.co = ANY(:companies)
  GROUP BY v.kco, v.dct, v.doc, v.an8 HAVING NOT bool_or(v.vod = 'V')
  UNION ALL
  SELECT b.id, s.natural_key, b.invoice_number, b.invoice_date::date,
    (b.created_time::timestamptz AT TIME ZONE :timezone)::date, b.amount, coalesce(n.raw->>'billCurrency', ''), 'BILL'
  FROM jdebill.bill_bills b
  JOIN jdebill.links s ON s.connection = b.connection AND s.kind = 'vendor' AND s.remote_id = b.vendor_id
  LEFT JOIN jdebill.bill_vendors n ON n.connection = b.connection AND n.id = b.vendor_id
  WHERE b.connection = :connection AND NOT b.archived
    AND (b.created_time::timestamptz AT TIME ZONE :timezone)::date <= :last
    AND NOT EXISTS (SELECT FROM jdebill.links l WHERE l.connection = b.connection AND l.kind = 'bill'
      AND l.remote_id = b.id)
),
numbered AS MATERIALIZED (
  SELECT i.*, {NORMALISED.format(number="i.number")} AS plain,
    row_number() OVER (ORDER BY i.entered_for, i.document) AS place
  FROM invoice i
),
pair AS (
  SELECT a.document AS first_document, b.document, b.supplier, a.number AS first_number, b.number, b.currency,
    a.amount AS first_amount, b.amount, a.invoice_date AS first_date, b.invoice_date, a.entered_by AS first_by,
    b.entered_by, b.entered_for,
    CASE WHEN btrim(a.number) = btrim(b.number) THEN 'same number' ELSE 'same number, written differently' END AS kind
  FROM numbered a JOIN numbered b ON b.supplier = a.supplier AND b.plain = a.plain AND b.place > a.place
  WHERE a.plain <> '' AND b.entered_for BETWEEN :first AND :last
  UNION ALL
  SELECT a.document, b.document, b.supplier, a.number, b.number, b.currency, a.amount, b.amount, a.invoice_date,
    b.invoice_date, a.entered_by, b.entered_by, b.entered_for, 'same amount, near date'
  FROM numbered a JOIN numbered b ON b.supplier = a.supplier AND b.amount = a.amount AND b.currency = a.currency
    AND b.place > a.place AND abs(b.invoice_date - a.invoice_date) <= {NEAR_DAYS}
  WHERE b.amount <> 0 AND (a.plain <> b.plain OR a.plain = '') AND b.entered_for BETWEEN :first AND :last
)
"""


def disposition(key: str) -> str:
    """A join that finds what a person said about a finding under ``key`` (an SQL expression), as ``n.text``."""
    return f"""
LEFT JOIN LATERAL (SELECT o.who || ' ' || to_char(o.at AT TIME ZONE :timezone, 'YYYY-MM-DD') || ': ' || o.reason AS text
  FROM jdebill.overrides o WHERE o.connection = :connection AND o.gate = 'audit' AND o.natural_key = {key}
  ORDER BY o.at DESC, o.id DESC LIMIT 1) AS n ON true"""


INVOICES = Procedure(
    key="duplicate_invoices",
    section=Section.DUPLICATES,
    title="Invoices that may be in the books twice",
    objective="Occurrence: each supplier invoice is entered, and paid, once.",
    method=(
        "Vouchers (F0411) of all periods up to the cut-off, and bills that were typed into BILL, are compared per "
        "supplier: the same number; the same number without case, separators, leading zeros (also typed as O), words "
        "for invoice, and letters typed for digits (O 0, I L 1); and the same amount and currency with invoice dates "
        f"at most {NEAR_DAYS} days apart. A pair belongs to the period of its later document."
    ),
    population=f"WITH {_INVOICES} SELECT count(*) FROM invoice WHERE entered_for BETWEEN :first AND :last",
    query=f"""
WITH {_INVOICES}
SELECT p.document, p.first_document, p.supplier, p.kind, p.number, p.first_number, p.currency, p.amount,
  p.first_amount, p.invoice_date, p.first_date, p.entered_by, p.first_by,
  coalesce(n.text, 'open') AS disposition, CASE WHEN n.text IS NULL THEN p.kind ELSE '' END AS exception
FROM pair p {disposition("p.first_document || ' ' || p.document")}
ORDER BY p.supplier, p.document, p.first_document
""",
    columns=(
        Column("document", "Later document", Shape.KEY),
        Column("first_document", "Earlier document", Shape.KEY),
        Column("supplier", "Supplier"),
        Column("kind", "Likeness"),
        Column("number", "Invoice number"),
        Column("first_number", "Earlier number"),
        Column("currency", "Currency"),
        Column("amount", "Amount", Shape.AMOUNT),
        Column("first_amount", "Earlier amount", Shape.AMOUNT),
        Column("invoice_date", "Invoice date", Shape.DATE),
        Column("first_date", "Earlier date", Shape.DATE),
        Column("entered_by", "Entered by"),
        Column("first_by", "Earlier one by"),
        Column("disposition", "Disposition"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix=(
        "Compare the two invoices. A duplicate: void one in JD Edwards. Two invoices: "
        "jdebill audit note NAME 'EARLIER LATER' --reason TEXT."
    ),
)

_SUPPLIERS = """
supplier AS MATERIALIZED (
  SELECT s.an8, a.alph AS name, regexp_replace(upper(a.tax), '[^[:alnum:]]', '', 'g') AS tax_id,
    regexp_replace(upper(concat(d.add1, d.addz, d.cty1, d.ctr)), '[^[:alnum:]]', '', 'g') AS address,
    d.add1, d.cty1, coalesce(v.raw#>>'{paymentInformation,bankAccount,routingNumber}', '') || ' ' ||
      (v.raw#>>'{paymentInformation,bankAccount,accountNumber}') AS bank
  FROM jdebill.stg_f0401 s
  JOIN jdebill.stg_f0101 a ON a.connection = s.connection AND a.an8 = s.an8
  LEFT JOIN LATERAL (SELECT x.* FROM jdebill.stg_f0116 x WHERE x.connection = s.connection AND x.an8 = s.an8
    AND (x.eftb IS NULL OR x.eftb <= :last) ORDER BY x.eftb DESC NULLS LAST LIMIT 1) AS d ON true
  LEFT JOIN jdebill.links l ON l.connection = s.connection AND l.kind = 'vendor' AND l.natural_key = s.an8::text
  LEFT JOIN jdebill.bill_vendors v ON v.connection = s.connection AND v.id = l.remote_id AND NOT v.archived
  WHERE s.connection = :connection
),
trait AS (
  SELECT 'tax id' AS what, tax_id AS value, '' AS shown, an8, name FROM supplier WHERE tax_id <> ''
  UNION ALL SELECT 'address', address, concat_ws(', ', nullif(add1, ''), nullif(cty1, '')), an8, name FROM supplier
    WHERE coalesce(add1, '') <> ''
  UNION ALL SELECT 'bank account', bank, '', an8, name FROM supplier WHERE bank IS NOT NULL
),
shared AS (
  SELECT t.what, t.value, max(t.shown) AS shown, count(*) AS suppliers,
    string_agg(t.an8::text, ' ' ORDER BY t.an8) AS numbers, string_agg(t.name, '; ' ORDER BY t.an8) AS names
  FROM trait t GROUP BY t.what, t.value HAVING count(*) > 1
)
"""

SUPPLIERS = Procedure(
    key="suppliers_alike",
    section=Section.DUPLICATES,
    title="Suppliers that share a tax id, a bank account or an address",
    objective="Occurrence: one supplier has one record; nobody is paid under two names.",
    method=(
        "Suppliers of JD Edwards (F0401, F0101, the address of F0116 that is effective at the cut-off) with their "
        "vendors' bank accounts in BILL, compared without case and punctuation. The master data is that of the last "
        "extract; tax ids and account numbers are not shown."
    ),
    population=f"WITH {_SUPPLIERS} SELECT count(*) FROM supplier",
    query=f"""
WITH {_SUPPLIERS}
SELECT s.what, s.numbers, s.names, s.shown, s.suppliers, coalesce(n.text, 'open') AS disposition,
  CASE WHEN n.text IS NULL THEN 'shared ' || s.what ELSE '' END AS exception
FROM shared s {disposition("s.what || ' ' || s.numbers")}
ORDER BY s.what, s.numbers
""",
    columns=(
        Column("what", "Shared"),
        Column("numbers", "Suppliers"),
        Column("names", "Names"),
        Column("shown", "Value"),
        Column("suppliers", "How many", Shape.NUMBER),
        Column("disposition", "Disposition"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix=(
        "One supplier: keep one record in JD Edwards. Several: jdebill audit note NAME 'WHAT NUMBERS' --reason TEXT, "
        "such as 'address 60004 60011'."
    ),
)

DUPLICATES = (INVOICES, SUPPLIERS)

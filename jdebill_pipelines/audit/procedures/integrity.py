"""The integrity rules of JDE itself, evaluated on the dated copies of its tables.

Belongs here: rules over JDE's own tables as they were read. Does not belong here: the comparison by batch
(gl_control.py, R04701 and R04702A), anything of BILL.

Source: JDE's integrity reports (R047xx) run for the current day, on posted transactions only and when nobody else is
working; these run on dated copies and can be run again. The rules of single rows are those that Oracle publishes for
monitoring JD Edwards (rule names JDEFIN_...). All are limited to documents with a G/L date up to the cut-off.
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.ledger_facts import COMPANIES, FISCAL, ITEM_EVENTS

_ITEMS = f"""
{COMPANIES}, {FISCAL}, {ITEM_EVENTS},
settled AS MATERIALIZED (
  SELECT t.kco, t.dct, t.doc, t.sfx, sum(t.own) AS own FROM taken t GROUP BY t.kco, t.dct, t.doc, t.sfx
),
held AS MATERIALIZED (
  SELECT v.co, v.kco, v.dct, v.doc, v.sfx, max(v.an8) AS an8, max(v.crcd) AS currency,
    max(v.pst) FILTER (WHERE v.sfxe = 0) AS pst, bool_or(v.vod <> '') AS is_void,
    sum(CASE WHEN v.crrm = 'F' THEN v.acr ELSE v.ag END) AS gross,
    sum(CASE WHEN v.crrm = 'F' THEN v.fap ELSE v.aap END) AS open, min(v.dgj) AS gl_date
  FROM jdebill.aud_f0411 v JOIN company c ON c.co = v.co
  WHERE v.connection = :connection
  GROUP BY v.co, v.kco, v.dct, v.doc, v.sfx
  HAVING min(v.dgj) <= :last
),
checked AS MATERIALIZED (
  SELECT h.*, coalesce(s.own, 0) AS paid FROM held h
  LEFT JOIN settled s ON s.kco = h.kco AND s.dct = h.dct AND s.doc = h.doc AND s.sfx = h.sfx
)
"""

ITEM_RULES = Procedure(
    key="integrity_items",
    section=Section.INTEGRITY,
    title="Pay items: open amount, status and payments agree",
    objective="Accuracy: what JD Edwards shows as open of an item is what its payments left.",
    method=(
        "Every pay item as it was read (F0411 with F0414): gross less payments and discounts is the open amount "
        "(R04713); a paid item (PST P) has nothing open, and an unpaid one has (JDEFIN_F0411_01, _02)."
    ),
    population=f"WITH {_ITEMS} SELECT count(*) FROM checked",
    query=f"""
WITH {_ITEMS}
SELECT c.co AS company, c.kco || '-' || c.dct || '-' || c.doc AS document, c.sfx AS pay_item, c.an8 AS supplier,
  c.pst AS status, c.gl_date, c.currency, c.gross, c.paid, c.open, c.gross - c.paid - c.open AS difference,
  concat_ws('; ',
    CASE WHEN c.gross - c.paid <> c.open THEN 'payments do not explain the open amount' END,
    CASE WHEN c.pst = 'P' AND c.open <> 0 THEN 'paid, and an amount is open' END,
    CASE WHEN c.pst <> 'P' AND c.open = 0 AND c.gross <> 0 THEN 'not paid, and nothing is open' END) AS finding
FROM checked c
WHERE c.gross - c.paid <> c.open OR c.pst = 'P' AND c.open <> 0 OR c.pst <> 'P' AND c.open = 0 AND c.gross <> 0
ORDER BY c.co, c.kco, c.dct, c.doc, c.sfx
""",
    columns=(
        Column("company", "Company"),
        Column("document", "Voucher", Shape.KEY),
        Column("pay_item", "Pay item"),
        Column("supplier", "Supplier"),
        Column("status", "Pay status"),
        Column("gl_date", "G/L date", Shape.DATE),
        Column("currency", "Currency"),
        Column("gross", "Gross", Shape.AMOUNT),
        Column("paid", "Payments and discounts", Shape.AMOUNT),
        Column("open", "Open", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Compare the item with its payments in JD Edwards (P0411, payment inquiry); R04713 lists the same.",
)

# A payment of a company: one whose details are of it, or, where it has none, whose bank account is of it.
_PAYMENTS = f"""
{COMPANIES},
detail AS MATERIALIZED (
  SELECT d.pyid, max(d.co) AS co, count(*) AS lines, sum(d.paap) FILTER (WHERE d.dctm <> 'PO') AS paid,
    bool_and(d.post = 'D') FILTER (WHERE d.dctm <> 'PO') AS posted, bool_or(d.dctm = 'PO') AS voided,
    count(*) FILTER (WHERE d.dctm <> 'PO') AS paid_lines
  FROM jdebill.aud_f0414 d JOIN company c ON c.co = d.co
  WHERE d.connection = :connection GROUP BY d.pyid
),
header AS MATERIALIZED (
  SELECT h.pyid, h.docm, h.dctm, h.dmtj, h.vdgj, h.paap, h.istp, h.icut, h.icu, h.pye, coalesce(d.co, a.co) AS co
  FROM jdebill.aud_f0413 h
  LEFT JOIN detail d ON d.pyid = h.pyid
  LEFT JOIN jdebill.stg_f0901 a ON a.connection = :connection AND a.aid = h.glba
  WHERE h.connection = :connection AND h.dmtj <= :last
),
payment_row AS MATERIALIZED (
  SELECT h.co, h.pyid, h.pye, h.dmtj, h.paap AS header_amount, d.paid AS detail_amount,
    h.icut || ' ' || h.icu AS batch,
    concat_ws('; ',
      CASE WHEN d.pyid IS NULL THEN 'header without details' END,
      CASE WHEN h.vdgj IS NULL AND d.pyid IS NOT NULL AND h.paap <> coalesce(d.paid, 0)
        THEN 'the details are not the amount of the header' END,
      CASE WHEN h.vdgj IS NULL AND d.pyid IS NOT NULL AND (h.istp = 'D') <> coalesce(d.posted, false)
        THEN 'the post codes of header and details differ' END,
      CASE WHEN h.vdgj IS NOT NULL AND NOT coalesce(d.voided, false) THEN 'void date without a void' END,
      CASE WHEN h.vdgj IS NULL AND d.voided THEN 'void without a void date' END) AS finding
  FROM header h JOIN company c ON c.co = h.co LEFT JOIN detail d ON d.pyid = h.pyid
  UNION ALL
  SELECT d.co, d.pyid, NULL, NULL, NULL, d.paid, '', 'details without a header'
  FROM detail d WHERE NOT EXISTS (SELECT FROM jdebill.aud_f0413 h WHERE h.connection = :connection AND h.pyid = d.pyid)
)
"""

PAYMENT_RULES = Procedure(
    key="integrity_payments",
    section=Section.INTEGRITY,
    title="Payments: headers and details agree",
    objective="Accuracy: each payment consists of what its details say, posted or voided as a whole.",
    method=(
        "Every payment with a payment date up to the cut-off as it was read: a header (F0413) has details (F0414) and "
        "the other way round (JDEFIN_F0413_03, JDEFIN_F0414_02); amounts, post codes (JDEFIN_F0413_05) and voids agree."
    ),
    population=f"WITH {_PAYMENTS} SELECT count(*) FROM payment_row",
    query=f"""
WITH {_PAYMENTS}
SELECT p.co AS company, 'PYID-' || p.pyid AS payment, p.pye AS payee, p.dmtj AS payment_date, c.currency,
  p.header_amount, p.detail_amount, p.batch, p.finding
FROM payment_row p JOIN company c ON c.co = p.co
WHERE p.finding <> ''
ORDER BY p.co, p.pyid, p.finding
""",
    columns=(
        Column("company", "Company"),
        Column("payment", "JDE payment", Shape.KEY),
        Column("payee", "Payee"),
        Column("payment_date", "Payment date", Shape.DATE),
        Column("currency", "Company's currency"),
        Column("header_amount", "Header (F0413)", Shape.AMOUNT),
        Column("detail_amount", "Details (F0414)", Shape.AMOUNT),
        Column("batch", "Batch"),
        Column("finding", "Finding"),
    ),
    rule=Rule.NO_ROWS,
    fix="Correct the payment in JD Edwards; void and enter it again where a part is missing.",
)

_BATCH_ROWS = f"""
{COMPANIES},
document AS MATERIALIZED (
  SELECT v.co, v.icut, v.icu, v.post = 'D' AS posted, v.dgj AS gl_date
  FROM jdebill.aud_f0411 v JOIN company c ON c.co = v.co
  WHERE v.connection = :connection AND v.icu <> 0 AND v.dgj <= :last
  UNION ALL
  SELECT d.co, h.icut, h.icu, d.post = 'D', coalesce(h.vdgj, h.dmtj)
  FROM jdebill.aud_f0414 d JOIN company c ON c.co = d.co
  JOIN jdebill.aud_f0413 h ON h.connection = :connection AND h.pyid = d.pyid
  WHERE d.connection = :connection AND h.icu <> 0 AND h.dmtj <= :last
),
ledger AS MATERIALIZED (
  SELECT f.icut, f.icu, sum(f.aa) FILTER (WHERE f.post = 'P') AS net, count(*) AS lines
  FROM jdebill.aud_f0911 f WHERE f.connection = :connection AND f.lt = 'AA' AND f.icu <> 0
  GROUP BY f.icut, f.icu
),
batch AS MATERIALIZED (
  SELECT d.icut, d.icu, min(d.co) AS co, count(DISTINCT d.co) AS companies, count(*) AS documents,
    bool_or(d.posted) AS any_posted, bool_and(d.posted) AS all_posted, min(d.gl_date) AS first_day
  FROM document d GROUP BY d.icut, d.icu
),
row AS MATERIALIZED (
  SELECT b.*, h.ist, h."user" AS entered_by, h.dicj, l.net, CASE
    WHEN h.icu IS NULL THEN 'no batch header'
    WHEN b.any_posted AND coalesce(l.net, 0) <> 0 THEN 'the posted lines of the batch do not net to zero'
    WHEN h.ist = 'D' AND NOT b.all_posted THEN 'the batch is posted, a document of it is not'
    WHEN h.ist NOT IN ('D', '') AND b.all_posted THEN 'all documents are posted, the batch is not'
    ELSE '' END AS exception
  FROM batch b
  LEFT JOIN jdebill.aud_f0011 h ON h.connection = :connection AND h.icut = b.icut AND h.icu = b.icu
  LEFT JOIN ledger l ON l.icut = b.icut AND l.icu = b.icu
)
"""

BATCH_RULES = Procedure(
    key="integrity_batches",
    section=Section.INTEGRITY,
    title="Batches: headers, post codes and balance",
    objective="Accuracy: each batch has a header that tells the truth, and what it posted nets to zero.",
    method=(
        "Every batch of vouchers and payments with documents up to the cut-off as it was read: its header exists "
        "(F0011, JDEFIN_F0011_F0411_HEADER); header and documents agree about the post (JDEFIN_F0011_F0411_POST, "
        "JDEFIN_F0011_F0413_POST); its posted lines of the ledger AA net to zero over all companies (JDEFIN_F0911_01 "
        "to _04). Batches that wait for the post, or stand in error, are shown with their status and are no exceptions."
    ),
    population=f"WITH {_BATCH_ROWS} SELECT count(*) FROM batch",
    query=f"""
WITH {_BATCH_ROWS}
SELECT r.co AS company, r.icut AS batch_type, r.icu AS batch, coalesce(r.ist, '') AS batch_status, r.documents,
  r.first_day AS gl_date, r.dicj AS entered_on, coalesce(r.entered_by, '') AS entered_by, c.currency,
  coalesce(r.net, 0) AS net_posted,
  CASE WHEN r.exception <> '' THEN '' WHEN r.ist = 'E' THEN 'in error' ELSE 'waits for the post' END AS remark,
  r.exception
FROM row r JOIN company c ON c.co = r.co
WHERE r.exception <> '' OR NOT r.all_posted
ORDER BY r.icut, r.icu
""",
    columns=(
        Column("company", "Company"),
        Column("batch_type", "Batch type"),
        Column("batch", "Batch"),
        Column("batch_status", "Batch status"),
        Column("documents", "Documents", Shape.NUMBER),
        Column("gl_date", "First G/L date", Shape.DATE),
        Column("entered_on", "Entered on", Shape.DATE),
        Column("entered_by", "Entered by"),
        Column("currency", "Currency"),
        Column("net_posted", "Net of posted lines", Shape.AMOUNT),
        Column("remark", "Remark"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Post the batch, or correct its lines, in JD Edwards (batch review).",
)

INTEGRITY = (ITEM_RULES, PAYMENT_RULES, BATCH_RULES)

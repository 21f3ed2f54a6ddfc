"""What JDE's own books say by G/L date, as parts of queries: the subledger item by item, the payables accounts.

Belongs here: common table expressions that several procedures start with. Does not belong here: a procedure, BILL.

``item_event`` has one row for everything that changed an open item, with the G/L date on which it did: gross amounts
and adjustments (F0411), payments and their voids (F0414). ``gl_event`` has one row per line on a payables account.
"""

# ruff: noqa: S608 - built from constants
from __future__ import annotations

_PAYABLE_BATCHES = "('V', 'W')"
_PAYMENT_BATCHES = "('K', 'M', 'W')"

# A company's currency is F0010's; its decimals F0013's.
COMPANIES = """
company AS MATERIALIZED (
  SELECT c.co, coalesce(s.crcd, '') AS currency,
    coalesce((SELECT d.cdec::int FROM jdebill.stg_f0013 d WHERE d.connection = :connection AND d.crcd = s.crcd
      AND d.cdec ~ '^[0-9]$'), 2) AS decimals
  FROM unnest(CAST(:companies AS text[])) AS c(co)
  LEFT JOIN jdebill.stg_f0010 s ON s.connection = :connection AND s.co = c.co
)
"""

# F0008 per company: each fiscal period with its days.
FISCAL = """
fiscal AS MATERIALIZED (
  SELECT c.co, f.ctry, f.fy, e.period, e.ends, lag(e.ends, 1, f.dfyj - 1) OVER
    (PARTITION BY c.co, f.ctry, f.fy, f.dfyj ORDER BY e.period) + 1 AS begins
  FROM jdebill.stg_f0010 c
  JOIN jdebill.stg_f0008 f ON f.connection = c.connection AND f.dtpn = c.dtpn AND f.fq = '' AND f.dfyj IS NOT NULL
  CROSS JOIN LATERAL (VALUES (1, f.d01j), (2, f.d02j), (3, f.d03j), (4, f.d04j), (5, f.d05j), (6, f.d06j),
    (7, f.d07j), (8, f.d08j), (9, f.d09j), (10, f.d10j), (11, f.d11j), (12, f.d12j), (13, f.d13j), (14, f.d14j))
    AS e(period, ends)
  WHERE c.connection = :connection AND e.ends IS NOT NULL
)
"""

# The G/L date of a payment: of its ledger lines (F0911.DGJ) once there are some; before the post JDE keeps only its
# fiscal period (F0414) and its payment date (F0413.DMTJ), so it is the payment date, moved into that period.
# A foreign payment relieves the voucher at the voucher's own rate; the difference goes to the exchange account.
ITEM_EVENTS = f"""
payment_line AS MATERIALIZED (
  SELECT f.icut, f.icu, f.dct, f.doc, min(f.dgj) AS dgj
  FROM jdebill.aud_f0911 f
  WHERE f.connection = :connection AND f.lt = 'AA' AND f.icut IN {_PAYMENT_BATCHES} AND f.dct <> 'AE'
  GROUP BY f.icut, f.icu, f.dct, f.doc
),
pay_item AS MATERIALIZED (
  SELECT v.kco, v.dct, v.doc, v.sfx, v.co, v.an8, v.crrm = 'F' AS is_foreign, v.crcd, v.ag, v.acr,
    CASE WHEN v.acr = 0 THEN 0
      WHEN v.crr <> 0 AND abs(round(v.acr * v.crr, c.decimals) - v.ag) <= 1 THEN v.crr ELSE v.ag / v.acr END AS rate,
    c.decimals
  FROM jdebill.aud_f0411 v JOIN company c ON c.co = v.co
  WHERE v.connection = :connection AND v.sfxe = 0
),
taken AS MATERIALIZED (
  SELECT coalesce(v.co, d.co) AS co, d.kco, d.dct, d.doc, d.sfx, d.pyid, d.rc5, d.dctm, d.post = 'D' AS posted,
    coalesce(h.icut, '') AS icut, coalesce(h.icu, 0) AS icu, coalesce(v.an8, d.an8) AS an8,
    coalesce(v.is_foreign, d.crrm = 'F') AS is_foreign, coalesce(v.crcd, d.crcd) AS crcd,
    d.rmk AS remark, h.dmtj AS payment_date,
    CASE WHEN d.dctm = 'PO' THEN coalesce(h.vdgj, l.dgj, p.ends)
      ELSE coalesce(l.dgj, greatest(least(h.dmtj, p.ends), p.begins), d.upmj) END AS gl_date,
    CASE WHEN coalesce(v.is_foreign, d.crrm = 'F') THEN d.pfap + d.cdsa ELSE d.paap + d.adsa END AS own,
    CASE WHEN v.is_foreign IS NOT TRUE THEN d.paap + d.adsa
      WHEN abs(d.pfap + d.cdsa) = abs(v.acr) THEN v.ag * sign(v.acr) * sign(d.pfap + d.cdsa)
      ELSE round((d.pfap + d.cdsa) * v.rate, v.decimals) END AS base
  FROM jdebill.aud_f0414 d
  JOIN company c ON c.co = d.co
  LEFT JOIN jdebill.aud_f0413 h ON h.connection = :connection AND h.pyid = d.pyid
  LEFT JOIN payment_line l ON l.icut = h.icut AND l.icu = h.icu AND l.dct = d.dctm AND l.doc = h.docm
  LEFT JOIN fiscal p ON p.co = d.co AND p.ctry = d.ctry AND p.fy = d.fy AND p.period = d.pn AND p.begins <= p.ends
  LEFT JOIN pay_item v ON v.kco = d.kco AND v.dct = d.dct AND v.doc = d.doc AND v.sfx = d.sfx
  WHERE d.connection = :connection
),
item_event AS MATERIALIZED (
  SELECT v.co, v.kco, v.dct, v.doc, v.sfx, v.an8, v.crcd, v.crrm = 'F' AS is_foreign, v.dgj AS gl_date,
    true AS of_voucher,
    CASE WHEN v.sfxe = 0 AND v.dcta = '' THEN 'voucher' WHEN v.vod <> '' THEN 'void' ELSE 'adjustment' END AS kind,
    v.ag AS base, CASE WHEN v.crrm = 'F' THEN v.acr ELSE v.ag END AS own, v.icut, v.icu, v.post = 'D' AS posted
  FROM jdebill.aud_f0411 v JOIN company c ON c.co = v.co
  WHERE v.connection = :connection
  UNION ALL
  SELECT t.co, t.kco, t.dct, t.doc, t.sfx, t.an8, t.crcd, t.is_foreign, t.gl_date, false,
    CASE WHEN t.dctm = 'PO' THEN 'void' ELSE 'payment' END, -t.base, -t.own, t.icut, t.icu, t.posted
  FROM taken t
)
"""

# Open at the cut-off. What rounding left of a foreign item that is settled in its own currency is nothing to pay.
OPEN_ITEMS = """
item AS MATERIALIZED (
  SELECT e.co, e.kco, e.dct, e.doc, e.sfx, max(e.an8) AS an8, max(e.crcd) AS crcd, bool_or(e.is_foreign) AS is_foreign,
    sum(e.base) AS events, sum(e.own) AS own,
    CASE WHEN bool_or(e.is_foreign) AND sum(e.own) = 0 THEN 0 ELSE sum(e.base) END AS base
  FROM item_event e WHERE e.gl_date <= :last
  GROUP BY e.co, e.kco, e.dct, e.doc, e.sfx
)
"""

# The trade accounts: the automatic accounting instructions PC (F0012), by company or for company 00000. Where they
# cannot be read: accounts that the post of vouchers credits automatically (AE) and payments debit; before the first
# payment those that it credits on balance.
PAYABLES = f"""
offset_line AS MATERIALIZED (
  SELECT f.co, f.aid, sum(f.aa) AS net
  FROM jdebill.aud_f0911 f JOIN company c ON c.co = f.co
  WHERE f.connection = :connection AND f.lt = 'AA' AND f.dct = 'AE' AND f.icut IN {_PAYABLE_BATCHES}
  GROUP BY f.co, f.aid
),
paid_account AS MATERIALIZED (
  SELECT DISTINCT f.co, f.aid
  FROM jdebill.aud_f0911 f JOIN offset_line o ON o.co = f.co AND o.aid = f.aid
  WHERE f.connection = :connection AND f.lt = 'AA' AND f.icut IN {_PAYMENT_BATCHES} AND f.dct <> 'AE' AND f.pyid <> 0
),
instructed AS MATERIALIZED (
  SELECT DISTINCT c.co, n.aid
  FROM company c
  JOIN jdebill.aud_f0012 i ON i.connection = :connection AND i.item LIKE 'PC%' AND i.co IN (c.co, '00000')
    AND (i.co = c.co OR NOT EXISTS (SELECT FROM jdebill.aud_f0012 x WHERE x.connection = :connection AND x.item = i.item
      AND x.co = c.co))
  JOIN jdebill.stg_f0901 n ON n.connection = :connection AND n.co = c.co AND n.obj = i.obj AND n.sub = i.sub
    AND n.mcu = coalesce(nullif(i.mcu, ''), ltrim(c.co, '0'))
),
payables AS MATERIALIZED (
  SELECT i.co, i.aid FROM instructed i
  UNION
  SELECT o.co, o.aid FROM offset_line o
  WHERE NOT EXISTS (SELECT FROM instructed i WHERE i.co = o.co)
    AND (EXISTS (SELECT FROM paid_account p WHERE p.co = o.co AND p.aid = o.aid)
      OR o.net < 0 AND NOT EXISTS (SELECT FROM paid_account p WHERE p.co = o.co))
)
"""

GL_EVENTS = """
gl_event AS MATERIALIZED (
  SELECT f.co, f.aid, f.icut, f.icu, f.dgj AS gl_date, -f.aa AS base, f.post = 'P' AS posted
  FROM jdebill.aud_f0911 f JOIN payables p ON p.co = f.co AND p.aid = f.aid
  WHERE f.connection = :connection AND f.lt = 'AA'
)
"""

SUBLEDGER = f"{COMPANIES}, {FISCAL}, {ITEM_EVENTS}, {OPEN_ITEMS}"
BOOKS = f"{SUBLEDGER}, {PAYABLES}, {GL_EVENTS}"

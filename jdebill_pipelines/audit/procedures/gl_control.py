"""The control account: batch by batch against the subledger, and its balances against its lines.

Belongs here: where the tie-out's difference comes from. Does not belong here: the tie-out itself (tie_out.py).
"""

# ruff: noqa: S608 - queries are built of constants of ours; what varies is a parameter
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.batch_facts import BATCHES
from jdebill_pipelines.audit.procedures.ledger_facts import COMPANIES, FISCAL, PAYABLES

BATCHES_TO_LEDGER = Procedure(
    key="batches_to_ledger",
    section=Section.TIE_OUT,
    title="Batches whose subledger and ledger differ at the cut-off",
    objective="Accuracy: each batch changed the control account by what it changed the subledger.",
    method=(
        "Per company and batch: what its documents changed in the subledger (F0411, F0414) up to the cut-off, and its "
        "lines on the trade accounts (F0911). A batch that waits for the post, or whose sides lie on different sides "
        "of the cut-off, is shown and is no exception. It corresponds to R04701 (vouchers) and R04702A (payments)."
    ),
    population=f"WITH {BATCHES} SELECT count(*) FROM batch b WHERE b.since <= :last",
    query=f"""
WITH {BATCHES}
SELECT j.co AS company, c.currency, j.icut AS batch_type, j.icu AS batch, j.documents, j.first_day, j.last_day, j.items,
  j.ledger, j.difference, coalesce(h.ist, '') AS batch_status, coalesce(h."user", '') AS entered_by,
  CASE WHEN j.unposted <> 0 THEN 'not posted yet' WHEN j.timing <> 0 THEN 'on both sides of the cut-off' ELSE '' END
    AS cause,
  CASE WHEN j.journals <> 0 THEN 'journal entry on the trade account'
    WHEN j.unbatched <> 0 THEN 'documents without a batch have no entry on the trade account'
    WHEN j.unbalanced <> 0 AND j.ledger = 0 THEN 'posted without an entry on the trade account'
    WHEN j.unbalanced <> 0 THEN 'does not balance' ELSE '' END AS exception
FROM judged j JOIN company c ON c.co = j.co
LEFT JOIN jdebill.aud_f0011 h ON h.connection = :connection AND h.icut = j.icut AND h.icu = j.icu
WHERE j.difference <> 0 OR j.journals <> 0 OR j.unbalanced <> 0 OR j.unbatched <> 0
ORDER BY j.co, j.icut, j.icu
""",
    columns=(
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("batch_type", "Batch type"),
        Column("batch", "Batch"),
        Column("documents", "Documents", Shape.NUMBER),
        Column("first_day", "First G/L date", Shape.DATE),
        Column("last_day", "Last G/L date", Shape.DATE),
        Column("items", "Subledger", Shape.AMOUNT),
        Column("ledger", "Trade account", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("batch_status", "Batch status"),
        Column("entered_by", "Entered by"),
        Column("cause", "Cause"),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Post the batch, or correct it in JD Edwards (general journal review, batch review).",
)

_TIED = f"""
{COMPANIES}, {FISCAL}, {PAYABLES},
ended AS MATERIALIZED (
  SELECT DISTINCT f.co, f.ctry * 100 + f.fy AS year, f.period FROM fiscal f WHERE f.ends = :last AND f.begins <= f.ends
),
balance AS (
  SELECT p.co, p.aid, e.year, e.period, sum(n.net) AS net FROM payables p
  JOIN ended e ON e.co = p.co
  JOIN jdebill.aud_f0902 b ON b.connection = :connection AND b.aid = p.aid AND b.lt = 'AA'
    AND b.ctry * 100 + b.fy <= e.year
  CROSS JOIN LATERAL (
    SELECT sum(x.amount) AS net FROM (VALUES (1, b.an01), (2, b.an02), (3, b.an03), (4, b.an04), (5, b.an05),
      (6, b.an06), (7, b.an07), (8, b.an08), (9, b.an09), (10, b.an10), (11, b.an11), (12, b.an12),
      (13, b.an13), (14, b.an14))
      AS x(period, amount) WHERE b.ctry * 100 + b.fy < e.year OR x.period <= e.period) AS n
  GROUP BY p.co, p.aid, e.year, e.period
),
line AS (
  SELECT p.co, p.aid, sum(f.aa) AS net FROM payables p
  JOIN jdebill.aud_f0911 f ON f.connection = :connection AND f.co = p.co AND f.aid = p.aid AND f.lt = 'AA'
    AND f.post = 'P' AND f.dgj <= :last
  GROUP BY p.co, p.aid
)
"""

ACCOUNT_BALANCES = Procedure(
    key="account_balances",
    section=Section.TIE_OUT,
    title="Balances of the trade accounts against their lines",
    objective="Accuracy: the balance that JD Edwards reports is the sum of the lines that it consists of.",
    method=(
        "Per trade account: net postings of all periods up to the cut-off (F0902, ledger AA) against the posted lines "
        "(F0911) up to it. Where the cut-off is not the end of a fiscal period there is nothing to compare."
    ),
    population=f"WITH {_TIED} SELECT count(*) FROM payables p JOIN ended e ON e.co = p.co",
    query=f"""
WITH {_TIED}
SELECT p.co AS company, c.currency, concat_ws('.', nullif(a.mcu, ''), nullif(a.obj, ''), nullif(a.sub, '')) AS account,
  coalesce(a.dl01, '') AS description, e.year || '-P' || lpad(e.period::text, 2, '0') AS fiscal_period,
  coalesce(-b.net, 0) AS balance, coalesce(-l.net, 0) AS lines, coalesce(l.net, 0) - coalesce(b.net, 0) AS difference,
  CASE WHEN coalesce(b.net, 0) = coalesce(l.net, 0) THEN ''
    ELSE 'the balance is not the sum of its lines' END AS exception
FROM payables p JOIN ended e ON e.co = p.co JOIN company c ON c.co = p.co
LEFT JOIN balance b ON b.co = p.co AND b.aid = p.aid
LEFT JOIN line l ON l.co = p.co AND l.aid = p.aid
LEFT JOIN jdebill.stg_f0901 a ON a.connection = :connection AND a.aid = p.aid
ORDER BY p.co, p.aid
""",
    columns=(
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("account", "Trade account"),
        Column("description", "Description"),
        Column("fiscal_period", "Fiscal period"),
        Column("balance", "Balance (F0902)", Shape.AMOUNT),
        Column("lines", "Lines (F0911)", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Compare the account in JD Edwards (R09705) and repost it (R099102).",
)

GL_CONTROL = (BATCHES_TO_LEDGER, ACCOUNT_BALANCES)

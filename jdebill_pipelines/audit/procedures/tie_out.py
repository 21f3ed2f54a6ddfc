"""The payables subledger against its control account, per company.

Belongs here: the two figures and what explains their difference. Does not belong here: BILL (three_sided.py), single
batches (gl_control.py).
"""

# ruff: noqa: S608 - built from constants
from __future__ import annotations

from jdebill_pipelines.audit.model import Column, Procedure, Rule, Section, Shape
from jdebill_pipelines.audit.procedures.batch_facts import BATCHES

TIE_OUT = Procedure(
    key="tie_out",
    section=Section.TIE_OUT,
    title="Subledger to control account",
    objective=(
        "Completeness and accuracy: what suppliers are owed by the payables subledger is what the control account says."
    ),
    method=(
        "Subledger: the open amount of every pay item as of the cut-off (F0411 gross and adjustments less F0414 "
        "payments and discounts, each by its G/L date; foreign items at the voucher's rate). Control: F0911, ledger "
        "AA, posted and unposted, on the trade accounts (automatic accounting instructions PC). The difference is "
        "explained batch by batch: documents that wait for the post; batches whose two sides agree and lie on "
        "different sides of the cut-off (timing); what rounding left of settled foreign items. The rest is "
        "unexplained: batches that do not balance, journal entries on the trade account, documents without a batch. "
        "It corresponds to R047001A, which JD Edwards can only run for today (JD Edwards, as-of processing; A/P "
        "integrity reports)."
    ),
    population=f"WITH {BATCHES} SELECT count(*) FROM item",
    query=f"""
WITH {BATCHES},
sub AS (SELECT i.co, sum(i.base) AS subledger, sum(i.base - i.events) AS rounding FROM item i GROUP BY i.co),
gl AS (
  SELECT j.co, sum(j.ledger) AS gl_control, sum(j.unposted) AS unposted, sum(j.timing) AS timing,
    sum(j.journals) AS journals, sum(j.unbalanced) AS unbalanced, sum(j.unbatched) AS unbatched
  FROM judged j GROUP BY j.co
),
told AS (
  SELECT c.co, c.currency, coalesce(s.subledger, 0) AS subledger, coalesce(g.gl_control, 0) AS gl_control,
    coalesce(s.subledger, 0) - coalesce(g.gl_control, 0) AS difference, coalesce(g.unposted, 0) AS unposted,
    coalesce(g.timing, 0) AS timing, coalesce(s.rounding, 0) AS rounding, coalesce(g.unbalanced, 0) AS unbalanced,
    coalesce(g.journals, 0) AS journals, coalesce(g.unbatched, 0) AS unbatched,
    coalesce((SELECT string_agg(a.code, ', ' ORDER BY a.code) FROM (
      SELECT concat_ws('.', nullif(n.mcu, ''), nullif(n.obj, ''), nullif(n.sub, '')) AS code
      FROM payables p JOIN jdebill.stg_f0901 n ON n.connection = :connection AND n.aid = p.aid
      WHERE p.co = c.co) AS a), '') AS accounts
  FROM company c LEFT JOIN sub s ON s.co = c.co LEFT JOIN gl g ON g.co = c.co
)
SELECT t.co AS company, t.currency, t.accounts, t.subledger, t.gl_control, t.difference, t.unposted, t.timing,
  t.rounding, t.difference - t.unposted - t.timing - t.rounding AS unexplained, t.unbalanced, t.journals, t.unbatched,
  CASE WHEN t.difference - t.unposted - t.timing - t.rounding = 0
      AND t.unbalanced = 0 AND t.journals = 0 AND t.unbatched = 0 THEN ''
    ELSE concat_ws('; ',
      CASE WHEN t.accounts = '' AND t.subledger <> 0 THEN 'no trade account is known' END,
      CASE WHEN t.unbalanced <> 0 THEN 'batches that do not balance' END,
      CASE WHEN t.journals <> 0 THEN 'journal entries on the trade account' END,
      CASE WHEN t.unbatched <> 0 THEN 'documents without a batch' END,
      CASE WHEN t.difference - t.unposted - t.timing - t.rounding <> t.unbalanced + t.journals + t.unbatched
        THEN 'a difference that no batch explains' END) END AS exception
FROM told t
ORDER BY t.co
""",
    columns=(
        Column("company", "Company"),
        Column("currency", "Currency"),
        Column("accounts", "Trade accounts"),
        Column("subledger", "JDE subledger", Shape.AMOUNT),
        Column("gl_control", "G/L control", Shape.AMOUNT),
        Column("difference", "Difference", Shape.AMOUNT),
        Column("unposted", "Not posted yet", Shape.AMOUNT),
        Column("timing", "Timing", Shape.AMOUNT),
        Column("rounding", "Rounding", Shape.AMOUNT),
        Column("unexplained", "Unexplained", Shape.AMOUNT),
        Column("unbalanced", "of it: batches out of balance", Shape.AMOUNT),
        Column("journals", "of it: journals on the account", Shape.AMOUNT),
        Column("unbatched", "of it: without a batch", Shape.AMOUNT),
        Column("exception", "Exception"),
    ),
    rule=Rule.FLAGGED,
    fix="Open the batches that are listed under batches to ledger in JD Edwards and correct them there.",
)

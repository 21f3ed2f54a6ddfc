"""The audit's copies of JDE's ledgers, and its reports.

The items are written out, not imported: a migration must keep building what it built when it was written. Suffix of an
item: ``$`` text, ``#`` number, ``@`` date, ``!`` time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = "jdebill"

# table -> (key items, items)
TABLES: dict[str, tuple[str, str]] = {
    "F0411": (
        "DOC DCT KCO SFX SFXE",
        "DOC# DCT$ KCO$ SFX$ SFXE# DCTA$ CO$ AN8# PYE# SNTO# VINV$ DIVJ@ DGJ@ DDJ@ DDNJ@ FY# CTRY# PN# ICU# "
        "ICUT$ PST$ POST$ AG# AAP# ADSC# ADSA# ATXA# ATXN# STAM# CRRM$ CRCD$ CRR# BCRC$ ACR# FAP# CDS# CDSA# "
        "CTAM# GLC$ GLBA$ MCU$ PTC$ VOD$ ODOC# ODCT$ OKCO$ PKCO$ PO$ PDCT$ SFXO$ VR01$ RMK$ PYIN$ TORG$ USER$ "
        "UPMJ@ UPMT!",
    ),
    "F0911": (
        "DOC DCT KCO DGJ JELN LT EXTL",
        "DOC# DCT$ KCO$ DGJ@ JELN# LT$ EXTL$ POST$ ICU# ICUT$ CO$ ANI$ AM$ AID$ MCU$ OBJ$ SUB$ SBL$ SBLT$ FY# "
        "CTRY# PN# CRCD$ CRR# CRRM$ AA# ACR# EXA$ EXR$ R1$ R2$ SFX$ RE$ AN8# PKCO$ PO$ PDCT$ VINV$ IVD@ PYID# "
        "RC5# CN$ DKJ@ USER$ UPMJ@ UPMT!",
    ),
    "F0413": (
        "PYID",
        "PYID# DCTM$ DOCM# PYE# GLBA$ DMTJ@ VDGJ@ ICU# ICUT$ PAAP# CRCD$ CRRM$ PYIN$ ISTP$ RCND$ R3$ USER$ UPMJ@ UPMT!",
    ),
    "F0414": (
        "PYID RC5",
        "PYID# RC5# DCTM$ KCO$ DCT$ DOC# SFX$ SFXE# PAAP# ADSC# ADSA# PFAP# CDS# CDSA# CRCD$ CRR# CRRM$ GLC$ "
        "POST$ AN8# CO$ RMK$ PN# FY# CTRY# UPMJ@ UPMT!",
    ),
    "F0011": (
        "ICUT ICU",
        "ICUT$ ICU# IST$ IAPP$ POB$ USER$ DICJ@ AME# DOCN# UPMJ@ UPMT!",
    ),
    "F0902": (
        "AID CTRY FY FQ LT SBL SBLT CRCD",
        "AID$ CTRY# FY# FQ$ LT$ SBL$ SBLT$ CRCD$ CO$ MCU$ OBJ$ SUB$ APYC# AN01# AN02# AN03# AN04# AN05# AN06# "
        "AN07# AN08# AN09# AN10# AN11# AN12# AN13# AN14# UPMJ@ UPMT!",
    ),
}


def _column(item: str) -> sa.Column[object]:
    name, kind = item[:-1].lower(), item[-1]
    if kind == "$":
        return sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"))
    if kind == "#":
        return sa.Column(name, sa.Numeric(), nullable=False, server_default=sa.text("0"))
    if kind == "!":
        return sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"))
    return sa.Column(name, sa.Date(), nullable=True)


def upgrade() -> None:
    """Create the tables."""
    for name, (key_items, items) in TABLES.items():
        table = f"aud_{name.lower()}"
        key = ["connection", *key_items.lower().split()]
        dated = any(f"{item}@" in items.split() for item in key_items.split())
        op.create_table(
            table,
            sa.Column("connection", sa.Text(), nullable=False),
            sa.Column("period", sa.Text(), nullable=False, server_default=sa.text("''")),
            sa.Column("extracted_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("run_id", sa.Text(), nullable=False),
            *(_column(item) for item in items.split()),
            sa.UniqueConstraint(*key, name=f"uq_{table}_key", postgresql_nulls_not_distinct=True)
            if dated
            else sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
            schema=SCHEMA,
        )
        op.create_index(f"ix_{table}_period", table, ["period", "connection"], schema=SCHEMA)
    op.create_table(
        "audit_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("code_version", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("header", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_reports"),
        schema=SCHEMA,
    )
    op.create_index("ix_audit_reports_period", "audit_reports", ["period", "connection", "id"], schema=SCHEMA)
    op.create_table(
        "audit_results",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("population", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("exceptions", sa.BigInteger(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.CheckConstraint("outcome IN ('passed', 'failed', 'evidence')", name=op.f("ck_audit_results_outcome")),
        sa.ForeignKeyConstraint(
            ["report_id"], [f"{SCHEMA}.audit_reports.id"], name="fk_audit_results_report_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", "procedure", name="pk_audit_results"),
        schema=SCHEMA,
    )
    op.create_table(
        "audit_rows",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("row", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], [f"{SCHEMA}.audit_reports.id"], name="fk_audit_rows_report_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", "procedure", "ordinal", name="pk_audit_rows"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("audit_rows", "audit_results", "audit_reports"):
        op.drop_table(table, schema=SCHEMA)
    for name in reversed(TABLES):
        op.drop_table(f"aud_{name.lower()}", schema=SCHEMA)

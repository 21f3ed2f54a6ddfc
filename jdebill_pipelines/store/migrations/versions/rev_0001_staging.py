"""Staging tables of the JDE tables, and the log of extractions.

The items are written out, not imported: a migration must keep building what it built when it was written. Suffix of an
item: ``$`` text, ``#`` number, ``@`` date, ``!`` time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "jdebill"

# table -> (key items, items)
TABLES: dict[str, tuple[str, str]] = {
    "F0010": (
        "CO",
        "CO$ NAME$ CRCD$ DTPN$ DFYJ@ PNC# APFJ@ APPN# NNP#",
    ),
    "F0008": (
        "DTPN DFYJ FQ",
        "DTPN$ FY# CTRY# DFYJ@ FQ$ D01J@ D02J@ D03J@ D04J@ D05J@ D06J@ D07J@ D08J@ D09J@ D10J@ D11J@ D12J@ D13J@ D14J@",
    ),
    "F0013": (
        "CRCD",
        "CRCD$ DL01$ CDEC$",
    ),
    "F0014": (
        "PTC",
        "PTC$ PTD$ DCP# DCD# NDTP# DDJ@ NSP#",
    ),
    "F0006": (
        "MCU",
        "MCU$ STYL$ CO$ DL01$ PECC$ UPMJ@ UPMT!",
    ),
    "F0901": (
        "AID",
        "AID$ CO$ MCU$ OBJ$ SUB$ ANS$ DL01$ LDA$ PEC$ CRCD$ UPMJ@ UPMT!",
    ),
    "F0030": (
        "UKID",
        "UKID# BKTP$ AN8# AID$ CRCD$ DL01$ NXTC# NXTA# UPMJ@ UPMT!",
    ),
    "F0401": (
        "AN8",
        "AN8# APC$ HDPY$ TRAP$ CRRP$ CRCA$ HOLD$ PYIN$ SNTO# UPMJ@ UPMT!",
    ),
    "F0101": (
        "AN8",
        "AN8# ALKY$ TAX$ TAXC$ ALPH$ AT1$ ATP$ RMK$ UPMJ@ UPMT!",
    ),
    "F0111": (
        "AN8 IDLN",
        "AN8# IDLN# MLNM$ ALPH$ UPMJ@ UPMT!",
    ),
    "F0115": (
        "AN8 IDLN RCK7 CNLN",
        "AN8# IDLN# RCK7# CNLN# PHTP$ AR1$ PH1$ UPMJ@ UPMT!",
    ),
    "F0116": (
        "AN8 EFTB",
        "AN8# EFTB@ EFTF$ ADD1$ ADD2$ ADD3$ ADD4$ ADDZ$ CTY1$ COUN$ ADDS$ CTR$ UPMJ@ UPMT!",
    ),
    "F01151": (
        "AN8 IDLN RCK7",
        "AN8# IDLN# RCK7# ETP$ EMAL$ EHIER# UPMJ@ UPMT!",
    ),
    "F4301": (
        "KCOO DOCO DCTO SFXO",
        "KCOO$ DOCO# DCTO$ SFXO$ MCU$ AN8# TRDJ@ DRQJ@ PDDJ@ CNDJ@ VR01$ RMK$ DESC$ PTC$ HOLD$ OTOT# OSTS$ ARTG$ "
        "CRRM$ CRCD$ CRR# BCRC$ FAP# ORBY$ UPMJ@ TDAY!",
    ),
    "F4311": (
        "KCOO DOCO DCTO SFXO LNID",
        "KCOO$ DOCO# DCTO$ SFXO$ LNID# MCU$ CO$ AN8# TRDJ@ PDDJ@ CNDJ@ DGL@ VR01$ LITM$ DSC1$ DSC2$ LNTY$ NXTR$ "
        "LTTR$ UOM$ UORG# UOPN# UREC# PRRC# AEXP# AOPN# AREC# CRCD$ CRR# FRRC# FEA# FAP# FREC# FTN1# CTAM# PTC$ "
        "TX$ AID$ ANI$ OMCU$ OBJ$ SUB$ SBL$ SBLT$ UPMJ@ TDAY!",
    ),
    "F4209": (
        "HCOD RPER KCOO DOCO DCTO SFXO LNID RDJ RDT ASTS DLNID",
        "HCOD$ RPER# AN8# KCOO$ DOCO# DCTO$ SFXO$ LNID# TRDJ@ RDC$ RDB$ RDJ@ RDT! ASTS$ ATY$ DLNID#",
    ),
    "F43121": (
        "MATC KCOO DOCO DCTO SFXO LNID NLIN DOC",
        "MATC$ KCOO$ DOCO# DCTO$ SFXO$ LNID# NLIN# DOC# AN8# RCDJ@ DGL@ KCO$ DCT$ SFX$ VINV$ UORG# UREC# UOPN# "
        "PRRC# AREC# AOPN# FREC# CRCD$ AID$ OMCU$ OBJ$ SUB$ UPMJ@ TDAY!",
    ),
    "F0411": (
        "DOC DCT KCO SFX SFXE",
        "DOC# DCT$ KCO$ SFX$ SFXE# DCTA$ CO$ AN8# PYE# SNTO# VINV$ DIVJ@ DGJ@ DDJ@ DDNJ@ FY# CTRY# PN# ICU# ICUT$ "
        "PST$ POST$ AG# AAP# ADSC# ADSA# ATXA# ATXN# STAM# CRRM$ CRCD$ CRR# BCRC$ ACR# FAP# CDS# CDSA# CTAM# GLC$ "
        "GLBA$ MCU$ PTC$ VOD$ ODOC# ODCT$ OKCO$ PKCO$ PO$ PDCT$ SFXO$ VR01$ RMK$ PYIN$ TORG$ USER$ UPMJ@ UPMT!",
    ),
    "F0911": (
        "DOC DCT KCO DGJ JELN LT EXTL",
        "DOC# DCT$ KCO$ DGJ@ JELN# LT$ EXTL$ POST$ ICU# ICUT$ CO$ ANI$ AM$ AID$ MCU$ OBJ$ SUB$ SBL$ SBLT$ FY# "
        "CTRY# PN# CRCD$ CRR# CRRM$ AA# ACR# EXA$ EXR$ R1$ R2$ SFX$ RE$ AN8# PKCO$ PO$ PDCT$ VINV$ IVD@ PYID# RC5# "
        "CN$ DKJ@ USER$ UPMJ@ UPMT!",
    ),
    "F0413": (
        "PYID",
        "PYID# DCTM$ DOCM# PYE# GLBA$ DMTJ@ VDGJ@ ICU# ICUT$ PAAP# CRCD$ CRRM$ PYIN$ ISTP$ RCND$ R3$ USER$ UPMJ@ UPMT!",
    ),
    "F0414": (
        "PYID RC5",
        "PYID# RC5# DCTM$ KCO$ DCT$ DOC# SFX$ SFXE# PAAP# ADSC# ADSA# PFAP# CDS# CDSA# CRCD$ CRR# CRRM$ GLC$ POST$ "
        "AN8# CO$ RMK$ PN# FY# CTRY# UPMJ@ UPMT!",
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
        table = f"stg_{name.lower()}"
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
        "extractions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("periods", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("extracted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_written", sa.BigInteger(), nullable=False),
        sa.Column("rows_removed", sa.BigInteger(), nullable=False),
        sa.Column("watermark", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.CheckConstraint("mode IN ('full', 'delta', 'snapshot')", name=op.f("ck_extractions_mode")),
        sa.PrimaryKeyConstraint("id", name="pk_extractions"),
        schema=SCHEMA,
    )
    op.create_index("ix_extractions_latest", "extractions", ["connection", "table_name", "id"], schema=SCHEMA)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("extractions", schema=SCHEMA)
    for name in reversed(TABLES):
        op.drop_table(f"stg_{name.lower()}", schema=SCHEMA)

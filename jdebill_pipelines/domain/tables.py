"""The JD Edwards tables and columns that this project reads, with their keys and kinds.

Belongs here: pure data about JDE tables (source: JDE table metadata, Tools 9.2; column = data item without prefix).
Does not belong here: how they are read (jde/), where they are staged (store/) or what they mean (other domain modules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds, once decoded from an AIS answer."""

    TEXT = "text"  # trimmed string, '' when blank
    NUMBER = "number"  # Decimal, decimals applied, 0 when blank
    DATE = "date"  # datetime.date, None when blank
    TIME = "time"  # int HHMMSS in the JDE server's zone, 0 when blank


@dataclass(frozen=True, slots=True)
class JdeTable:
    """One JDE table as this project reads it.

    Attributes:
        name: the JDE object name, for example ``F0411``.
        key: data items of the primary key.
        columns: data item -> kind, in a fixed order; the key is part of it.
        page_key: numeric key item that keyset paging may walk, or None.
        period_date: the date item whose month is the partition of a row, or None for snapshots.
        updated_date, updated_time: the audit items that tell when a row changed, or None.
        area: which of our copies: ``stg`` is what the documents are made of, ``aud`` the whole ledgers of the audit.
    """

    name: str
    key: tuple[str, ...]
    columns: dict[str, Kind]
    page_key: str | None = None
    period_date: str | None = None
    updated_date: str | None = None
    updated_time: str | None = None
    area: str = "stg"

    @property
    def staging_name(self) -> str:
        """Name of the staging table that holds the rows."""
        return f"{self.area}_{self.name.lower()}"

    @property
    def log_name(self) -> str:
        """Name in the log of extractions: each area is read by itself."""
        return self.name if self.area == "stg" else self.staging_name


_KIND = {"$": Kind.TEXT, "#": Kind.NUMBER, "@": Kind.DATE, "!": Kind.TIME}


def _table(name: str, key: str, items: str, *, page_key: str | None = None, period_date: str | None = None) -> JdeTable:
    """Build a table from a compact item list: ``AN8# ALPH$ UPMJ@ UPMT!``."""
    columns = {item[:-1]: _KIND[item[-1]] for item in items.split()}
    keys = tuple(key.split())
    missing = [k for k in keys if k not in columns]
    if missing:
        raise ValueError(f"{name}: key items {missing} are not among the columns")
    time_item = next((t for t in ("UPMT", "TDAY") if t in columns), None)
    return JdeTable(
        name=name,
        key=keys,
        columns=columns,
        page_key=page_key,
        period_date=period_date,
        updated_date="UPMJ" if "UPMJ" in columns else None,
        updated_time=time_item,
    )


F0010 = _table("F0010", "CO", "CO$ NAME$ CRCD$ DTPN$ DFYJ@ PNC# APFJ@ APPN# NNP#")
F0008 = _table(
    "F0008",
    "DTPN DFYJ FQ",
    "DTPN$ FY# CTRY# DFYJ@ FQ$ " + " ".join(f"D{n:02d}J@" for n in range(1, 15)),
)
F0013 = _table("F0013", "CRCD", "CRCD$ DL01$ CDEC$")
F0014 = _table("F0014", "PTC", "PTC$ PTD$ DCP# DCD# NDTP# DDJ@ NSP#")
F0006 = _table("F0006", "MCU", "MCU$ STYL$ CO$ DL01$ PECC$ UPMJ@ UPMT!")
F0901 = _table("F0901", "AID", "AID$ CO$ MCU$ OBJ$ SUB$ ANS$ DL01$ LDA$ PEC$ CRCD$ UPMJ@ UPMT!")
F0030 = _table("F0030", "UKID", "UKID# BKTP$ AN8# AID$ CRCD$ DL01$ NXTC# NXTA# UPMJ@ UPMT!", page_key="UKID")

F0401 = _table("F0401", "AN8", "AN8# APC$ HDPY$ TRAP$ CRRP$ CRCA$ HOLD$ PYIN$ SNTO# UPMJ@ UPMT!", page_key="AN8")
F0101 = _table("F0101", "AN8", "AN8# ALKY$ TAX$ TAXC$ ALPH$ AT1$ ATP$ RMK$ UPMJ@ UPMT!", page_key="AN8")
F0111 = _table("F0111", "AN8 IDLN", "AN8# IDLN# MLNM$ ALPH$ UPMJ@ UPMT!", page_key="AN8")
F0115 = _table("F0115", "AN8 IDLN RCK7 CNLN", "AN8# IDLN# RCK7# CNLN# PHTP$ AR1$ PH1$ UPMJ@ UPMT!", page_key="AN8")
F0116 = _table(
    "F0116",
    "AN8 EFTB",
    "AN8# EFTB@ EFTF$ ADD1$ ADD2$ ADD3$ ADD4$ ADDZ$ CTY1$ COUN$ ADDS$ CTR$ UPMJ@ UPMT!",
    page_key="AN8",
)
F01151 = _table("F01151", "AN8 IDLN RCK7", "AN8# IDLN# RCK7# ETP$ EMAL$ EHIER# UPMJ@ UPMT!", page_key="AN8")

F4301 = _table(
    "F4301",
    "KCOO DOCO DCTO SFXO",
    "KCOO$ DOCO# DCTO$ SFXO$ MCU$ AN8# TRDJ@ DRQJ@ PDDJ@ CNDJ@ VR01$ RMK$ DESC$ PTC$ HOLD$ OTOT# OSTS$ ARTG$ "
    "CRRM$ CRCD$ CRR# BCRC$ FAP# ORBY$ UPMJ@ TDAY!",
    page_key="DOCO",
    period_date="TRDJ",
)
F4311 = _table(
    "F4311",
    "KCOO DOCO DCTO SFXO LNID",
    "KCOO$ DOCO# DCTO$ SFXO$ LNID# MCU$ CO$ AN8# TRDJ@ PDDJ@ CNDJ@ DGL@ VR01$ LITM$ DSC1$ DSC2$ LNTY$ NXTR$ LTTR$ "
    "UOM$ UORG# UOPN# UREC# PRRC# AEXP# AOPN# AREC# CRCD$ CRR# FRRC# FEA# FAP# FREC# FTN1# CTAM# PTC$ TX$ "
    "AID$ ANI$ OMCU$ OBJ$ SUB$ SBL$ SBLT$ UPMJ@ TDAY!",
    page_key="DOCO",
)
F4209 = _table(
    "F4209",
    "HCOD RPER KCOO DOCO DCTO SFXO LNID RDJ RDT ASTS DLNID",
    "HCOD$ RPER# AN8# KCOO$ DOCO# DCTO$ SFXO$ LNID# TRDJ@ RDC$ RDB$ RDJ@ RDT! ASTS$ ATY$ DLNID#",
    page_key="DOCO",
)
F43121 = _table(
    "F43121",
    "MATC KCOO DOCO DCTO SFXO LNID NLIN DOC",
    "MATC$ KCOO$ DOCO# DCTO$ SFXO$ LNID# NLIN# DOC# AN8# RCDJ@ DGL@ KCO$ DCT$ SFX$ VINV$ UORG# UREC# UOPN# PRRC# "
    "AREC# AOPN# FREC# CRCD$ AID$ OMCU$ OBJ$ SUB$ UPMJ@ TDAY!",
    page_key="DOCO",
)

F0411 = _table(
    "F0411",
    "DOC DCT KCO SFX SFXE",
    "DOC# DCT$ KCO$ SFX$ SFXE# DCTA$ CO$ AN8# PYE# SNTO# VINV$ DIVJ@ DGJ@ DDJ@ DDNJ@ FY# CTRY# PN# ICU# ICUT$ PST$ "
    "POST$ AG# AAP# ADSC# ADSA# ATXA# ATXN# STAM# CRRM$ CRCD$ CRR# BCRC$ ACR# FAP# CDS# CDSA# CTAM# GLC$ GLBA$ MCU$ "
    "PTC$ VOD$ ODOC# ODCT$ OKCO$ PKCO$ PO$ PDCT$ SFXO$ VR01$ RMK$ PYIN$ TORG$ USER$ UPMJ@ UPMT!",
    page_key="DOC",
    period_date="DGJ",
)
F0911 = _table(
    "F0911",
    "DOC DCT KCO DGJ JELN LT EXTL",
    "DOC# DCT$ KCO$ DGJ@ JELN# LT$ EXTL$ POST$ ICU# ICUT$ CO$ ANI$ AM$ AID$ MCU$ OBJ$ SUB$ SBL$ SBLT$ FY# CTRY# PN# "
    "CRCD$ CRR# CRRM$ AA# ACR# EXA$ EXR$ R1$ R2$ SFX$ RE$ AN8# PKCO$ PO$ PDCT$ VINV$ IVD@ PYID# RC5# CN$ DKJ@ USER$ "
    "UPMJ@ UPMT!",
    page_key="DOC",
    period_date="DGJ",
)
F0413 = _table(
    "F0413",
    "PYID",
    "PYID# DCTM$ DOCM# PYE# GLBA$ DMTJ@ VDGJ@ ICU# ICUT$ PAAP# CRCD$ CRRM$ PYIN$ ISTP$ RCND$ R3$ USER$ UPMJ@ UPMT!",
    page_key="PYID",
    period_date="DMTJ",
)
F0414 = _table(
    "F0414",
    "PYID RC5",
    "PYID# RC5# DCTM$ KCO$ DCT$ DOC# SFX$ SFXE# PAAP# ADSC# ADSA# PFAP# CDS# CDSA# CRCD$ CRR# CRRM$ GLC$ POST$ AN8# "
    "CO$ RMK$ PN# FY# CTRY# UPMJ@ UPMT!",
    page_key="PYID",
)
F0011 = _table("F0011", "ICUT ICU", "ICUT$ ICU# IST$ IAPP$ POB$ USER$ DICJ@ AME# DOCN# UPMJ@ UPMT!", page_key="ICU")
F0902 = _table(
    "F0902",
    "AID CTRY FY FQ LT SBL SBLT CRCD",
    "AID$ CTRY# FY# FQ$ LT$ SBL$ SBLT$ CRCD$ CO$ MCU$ OBJ$ SUB$ APYC# "
    + " ".join(f"AN{n:02d}#" for n in range(1, 15))
    + " UPMJ@ UPMT!",
)
# Automatic accounting instructions: item PC and the G/L class name the trade account, by company or for 00000.
F0012 = _table("F0012", "ITEM CO", "ITEM$ CO$ MCU$ OBJ$ SUB$ UPMJ@ UPMT!")

TABLES: dict[str, JdeTable] = {
    t.name: t
    for t in (
        F0010,
        F0008,
        F0013,
        F0014,
        F0006,
        F0901,
        F0030,
        F0401,
        F0101,
        F0111,
        F0115,
        F0116,
        F01151,
        F4301,
        F4311,
        F4209,
        F43121,
        F0411,
        F0911,
        F0413,
        F0414,
        F0011,
        F0902,
    )
}

# The audit reads whole ledgers, of every document type and from before the connection's start: copies of their own.
AUDITED: dict[str, JdeTable] = {
    t.name: replace(t, area="aud") for t in (F0411, F0911, F0413, F0414, F0011, F0902, F0012)
}

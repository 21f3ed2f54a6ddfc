"""G/L dates: the fiscal period of a date, and whether a company may still post there.

Belongs here: JDE's date check (X0903: PYEB, PBCO, PACO, WACO). Not here: who asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from jdebill_pipelines.sandbox.ais.books.base import Books
from jdebill_pipelines.sandbox.ais.books.messages import Findings
from jdebill_pipelines.sandbox.ais.columns import Row, Value

_SYSTEMS = {"ap": ("APFJ", "APPN"), "gl": ("DFYJ", "PNC")}


@dataclass(frozen=True)
class Period:
    """A fiscal period; `year` is the start of its year."""

    year: str
    fiscal_year: int
    century: int
    number: int

    def columns(self) -> dict[str, Value]:
        """PN, FY and CTRY of a row."""
        return {"PN": self.number, "FY": self.fiscal_year, "CTRY": self.century}


def period_of(books: Books, company: Row, day: str) -> Period | None:
    """The period of a date in the company's fiscal pattern, None when the calendar does not reach it."""
    for year in books.tables["F0008"].where(DTPN=company.get("DTPN", "R")):
        start = str(year.get("DFYJ", ""))
        if not start or day < start:
            continue
        for number in range(1, 15):
            end = str(year.get(f"D{number:02d}J", ""))
            if end and day <= end:
                return Period(start, int(year.get("FY", 0)), int(year.get("CTRY", 0)), number)
    return None


def check_date(books: Books, company: Row, day: str, found: Findings, *, system: str = "ap", kind: str = "") -> Period:
    """Judge a G/L date as JDE does: before the current fiscal year or period it is refused, far ahead it is warned of.

    Args:
        books: the installation.
        company: its F0010 row.
        day: `YYYYMMDD`.
        found: gets the error or warning.
        system: `ap` (periods of accounts payable) or `gl`.
        kind: document type; `##` may go to a prior year.
    """
    period = period_of(books, company, day)
    if period is None:
        found.error("0022", f"G/L date {day} is not in the fiscal date pattern {company.get('DTPN', '')}")
        return Period("", int(day[2:4]), int(day[:2]), int(day[4:6]))
    start_item, period_item = _SYSTEMS[system]
    start = str(company.get(start_item) or company.get("DFYJ") or "")
    current = int(company.get(period_item) or company.get("PNC") or 0)
    if not start or not current:
        return period
    if period.year < start:
        if kind == "##":
            found.warning("PYEB", f"G/L date {day} is before the current fiscal year")
        else:
            found.error("PYEB", f"G/L date {day} is before the current fiscal year")
    elif period.year == start and period.number < current:
        text = f"G/L date {day} is before the current period {current}"
        if books.switches.prior_period == "error":
            found.error("PBCO", text)
        else:
            found.warning("PBCO", text)
    else:
        _look_ahead(company, period, start, current, day, found)
    return period


def _look_ahead(company: Row, period: Period, start: str, current: int, day: str, found: Findings) -> None:
    last = int(company.get("NNP") or 12)
    if period.year == start:
        if period.number > current + 1:
            found.warning("PACO", f"G/L date {day} is after the next period")
    elif not (current >= last and period.number == 1 and period.year[:4] == f"{int(start[:4]) + 1}"):
        found.warning("WACO", f"G/L date {day} is after the current fiscal year")

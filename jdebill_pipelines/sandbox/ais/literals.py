"""Literals of conditions: what a text means for a column, by the switches for what Oracle does not document.

Belongs here: text to value, special values, day arithmetic. Not here: operators.
"""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from decimal import Decimal

from jdebill_pipelines.sandbox.ais.answers import AisError
from jdebill_pipelines.sandbox.ais.columns import BUSINESS_UNITS, Kind, Value
from jdebill_pipelines.sandbox.ais.switches import Switches
from jdebill_pipelines.sandbox.ais.tables import comparable
from jdebill_pipelines.sandbox.ais.values import from_date, number

_PATTERNS = {
    "MM/dd/yyyy": "%m/%d/%Y",
    "dd/MM/yyyy": "%d/%m/%Y",
    "yyyy/MM/dd": "%Y/%m/%d",
    "dd.MM.yyyy": "%d.%m.%Y",
    "MM/dd/yy": "%m/%d/%y",
    "dd/MM/yy": "%d/%m/%y",
    "yyyymmdd": "%Y%m%d",
    "iso": "%Y-%m-%d",
}
_SHAPES = {"yyyymmdd": r"\d{8}", "iso": r"\d{4}-\d\d-\d\d"}
_NUMBER = {"point": r"[+-]?\d+(\.\d+)?", "comma": r"[+-]?\d+(,\d+)?"}
_OFFSET = re.compile(r"TODAY_(PLUS|MINUS)_(DAY|MONTH|YEAR)")


class NeverTrue(Exception):
    """A literal that no row can match."""


class Literals:
    """Reads the literals of one request.

    Args:
        switches: how this server reads them.
        today: the JDE server's local date.
        user: who asks.
    """

    def __init__(self, switches: Switches, today: dt.date, user: str) -> None:
        self._switches = switches
        self._today = today
        self._user = user

    def value(self, item: str, kind: Kind, content: str, special: str) -> Value:
        """What a condition's value is compared as.

        Raises:
            AisError: it cannot be read.
            NeverTrue: it can be, but matches no row.
        """
        if special == "LOGIN_USER":
            return self._user
        if special.startswith("TODAY"):
            if kind is not Kind.DATE:
                raise AisError(500, f"{special} is for date columns, {item} is not one")
            return from_date(self._day(special, content))
        if special not in ("LITERAL", ""):
            raise AisError(400, f"Invalid JSON: unknown specialValueId {special}")
        if kind is Kind.NUMBER:
            return self._number(item, content)
        if kind is Kind.DATE:
            return self._date(item, content)
        if item in BUSINESS_UNITS:
            if self._switches.mcu_literal == "padded" and content.strip() and len(content) != 12:
                raise NeverTrue
            return comparable(item, content.strip())
        return content.rstrip()

    def _number(self, item: str, content: str) -> Value:
        text = content.strip()
        if not text:
            return 0
        comma = self._switches.decimal_format == ","
        ways = {"point": ("point",), "user": ("comma" if comma else "point",), "any": ("point", "comma")}
        for way in ways[self._switches.number_literal]:
            if re.fullmatch(_NUMBER[way], text):
                return number(Decimal(text.replace(",", ".")))
        raise AisError(500, f"Invalid numeric value '{content}' for {item}")

    def _date(self, item: str, content: str) -> Value:
        text = content.strip()
        if text in ("", "0"):
            return ""
        wanted = self._switches.date_literal
        user = self._switches.simple_date_format
        for name in {"user": (user,), "any": (user, "yyyymmdd", "iso")}.get(wanted, (wanted,)):
            if re.fullmatch(_SHAPES.get(name, r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}"), text):
                try:
                    return from_date(dt.datetime.strptime(text, _PATTERNS[name]).date())  # noqa: DTZ007
                except ValueError:
                    continue
        if self._switches.wrong_date_literal == "no_rows":
            raise NeverTrue
        raise AisError(500, f"Invalid date value '{content}' for {item}")

    def _day(self, special: str, content: str) -> dt.date:
        if special == "TODAY":
            return self._today
        found = _OFFSET.fullmatch(special)
        if found is None:
            raise AisError(400, f"Invalid JSON: unknown specialValueId {special}")
        if not re.fullmatch(r"\d{1,5}", content.strip()):
            raise AisError(500, f"{special} needs a whole number, not '{content}'")
        count = int(content) * (1 if found[1] == "PLUS" else -1)
        return shift(self._today, count, found[2])


def shift(day: dt.date, count: int, unit: str) -> dt.date:
    """A date so many DAYs, MONTHs or YEARs later; a day that the month does not have becomes its last."""
    if unit == "DAY":
        return day + dt.timedelta(days=count)
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "YEAR" else 1)
    year, month = divmod(months, 12)
    return dt.date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def write_date(day: dt.date, pattern: str) -> str:
    """A date in a pattern of the user's profile."""
    return day.strftime(_PATTERNS[pattern])


def read_date(text: str, name: str) -> dt.date | None:
    """A date in a pattern of the user's profile, ``iso`` or ``yyyymmdd``; None when it is not one."""
    if not re.fullmatch(_SHAPES.get(name, r".+"), text):
        return None
    try:
        return dt.datetime.strptime(text, _PATTERNS[name]).date()  # noqa: DTZ007 - a date without a zone
    except ValueError:
        return None

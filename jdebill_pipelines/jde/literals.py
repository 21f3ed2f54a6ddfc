"""Dates and numbers as text: Java date patterns, the literals of conditions, the values of answers.

Belongs here: pure conversions. Does not belong here: finding out which one a server wants (``probe``).

JDE AIS: GRID_DATA gives dates as ``YYYYMMDD``, typed orchestration outputs ISO, text outputs the user's format; which
literal a condition needs is not documented.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

ISO = "yyyy-MM-dd"
COMPACT = "yyyyMMdd"
COMMON_PATTERNS = (
    COMPACT,
    ISO,
    "MM/dd/yyyy",
    "dd/MM/yyyy",
    "dd.MM.yyyy",
    "yyyy/MM/dd",
    "dd-MM-yyyy",
    "MM-dd-yyyy",
    "MM/dd/yy",
    "dd/MM/yy",
    "dd.MM.yy",
    "yy/MM/dd",
)

_TOKEN = re.compile(r"y+|M+|d+|'[^']*'|[^yMd']+")
_THOUSANDS_DOT = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_COMPACT_DATE = re.compile(r"[12]\d{7}")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:$|[T :])")


def format_date(value: dt.date, pattern: str) -> str:
    """A date in a Java pattern of year, month and day.

    Raises:
        ValueError: the pattern has a letter other than y, M, d.
    """
    return "".join(_format_token(token, value) for token in _tokens(pattern))


def parse_pattern(text: str, pattern: str) -> dt.date:
    """The date that a text in a Java pattern means; leading zeros may be missing, two-digit years are 1950 to 2049.

    Raises:
        ValueError: it is not such a date.
    """
    expression = ""
    names: list[str] = []
    for token in _tokens(pattern):
        if token[0] in "yMd":
            names.append(token[0])
            # Adjacent numbers (yyyyMMdd) have no separator to find their end by.
            expression += rf"(\d{{{len(token)}}})" if pattern.isalpha() else r"(\d{1,4})"
        else:
            expression += re.escape(token.strip("'"))
    found = re.fullmatch(expression, text.strip())
    if found is None or sorted(names) != ["M", "d", "y"]:
        raise ValueError(f"{text!r} is not a date in the format {pattern}")
    number = dict(zip(names, map(int, found.groups()), strict=True))
    year = number["y"]
    if year < 100:
        year += 1900 if year >= 50 else 2000
    return dt.date(year, number["M"], number["d"])


def parse_date(value: object, user_pattern: str = "") -> dt.date | None:
    """A date of an answer: ``YYYYMMDD`` (text or number), ISO (with or without time) or the user's format.

    Returns:
        None for blank: null, '', blanks, zero, the text ``null``, and separators alone (``/  /``).

    Raises:
        ValueError: it is none of these.
    """
    if value is None:
        return None
    text = str(value).strip()
    if not text.strip("/.-: 0") or text.lower() == "null":
        return None
    if _COMPACT_DATE.fullmatch(text):
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    iso = _ISO_DATE.match(text)
    if iso:
        return dt.date(*map(int, iso.groups()))
    if user_pattern:
        return parse_pattern(text, user_pattern)
    raise ValueError(f"{text!r} is not a date in a known format")


def parse_number(value: object, decimal_mark: str = ".") -> Decimal:
    """A number of an answer: JSON number, or text in the user's format (thousands marks, trailing minus).

    Returns:
        0 for blank.

    Raises:
        ValueError: it is not a number, or it could be two.
    """
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is not an exact number")
    if isinstance(value, Decimal | int):
        return Decimal(value)
    text = "" if value is None else str(value).strip().replace("\u00a0", "").replace(" ", "").replace("'", "")
    if not text or text.lower() == "null":
        return Decimal(0)
    if text.endswith("-"):
        text = "-" + text[:-1]
    if "," in text and "." in text:
        last = max(text.rfind(","), text.rfind("."))
        text = text[:last].replace(",", "").replace(".", "") + "." + text[last + 1 :]
    elif decimal_mark == ",":
        text = text.replace(",", ".") if "," in text else _no_thousands(text)
    elif "," in text:
        if not _THOUSANDS_COMMA.fullmatch(text):
            raise ValueError(f"{text!r} has a comma, but the JDE user's decimal mark is a point")
        text = text.replace(",", "")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error


def _no_thousands(text: str) -> str:
    return text.replace(".", "") if _THOUSANDS_DOT.fullmatch(text) else text


def _tokens(pattern: str) -> list[str]:
    return _TOKEN.findall(pattern)


def _format_token(token: str, value: dt.date) -> str:
    number = {"y": value.year, "M": value.month, "d": value.day}.get(token[0])
    if number is None:
        if any(letter.isalpha() for letter in token.strip("'")) and not token.startswith("'"):
            raise ValueError(f"unknown part {token!r} of a date pattern")
        return token.strip("'")
    if token[0] == "y" and len(token) == 2:
        return f"{number % 100:02d}"
    if token[0] == "M" and len(token) > 2:
        raise ValueError("month names are not supported in date literals")
    return str(number).zfill(len(token))

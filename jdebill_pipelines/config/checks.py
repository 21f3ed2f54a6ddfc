"""What a single value of a connection file must look like.

Belongs here: rules for one value, each saying what is wrong and what is allowed. Does not belong here: rules over
several values (connection.py).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from string import Formatter
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jdebill_pipelines.config.cron import cron_problem
from jdebill_pipelines.config.decode import Check

# The words that the GL mapping fills in; a test compares them with the mapping's own.
TEMPLATE_WORDS = ("company", "business_unit", "object", "subsidiary", "account", "third", "description",
                  "unit_description")  # fmt: skip


def matches(pattern: str, allowed: str) -> Check:
    """The whole text must match ``pattern``; ``allowed`` says so in words."""
    compiled = re.compile(pattern)

    def problem(value: str) -> str | None:
        return None if compiled.fullmatch(value) else f"is {value!r}; allowed: {allowed}"

    return Check(problem)


def between(low: int | Decimal, high: int | Decimal, unit: str = "") -> Check:
    """A number from ``low`` to ``high``, both included."""

    def problem(value: Any) -> str | None:
        return None if low <= value <= high else f"is {value}; allowed: {low} to {high}{unit and ' ' + unit}"

    return Check(problem)


def _not_empty(value: Sequence[Any] | dict[str, Any]) -> str | None:
    return None if value else "is empty; at least one is needed"


def _unique(value: Sequence[Any]) -> str | None:
    twice = sorted({str(v) for v in value if value.count(v) > 1})
    return f"has {', '.join(twice)} twice" if twice else None


def _cron(value: str) -> str | None:
    problem = cron_problem(value)
    return f"the expression {problem}" if problem else None


def _zone(value: str) -> str | None:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        return f"is {value!r}; allowed: a zone of the IANA time zone database, such as America/Denver or UTC"
    return None


def _template(value: str) -> str | None:
    try:
        words = [word for _, word, _, _ in Formatter().parse(value) if word is not None]
    except ValueError as error:
        return f"is {value!r}, which is no template: {error}"
    unknown = [word for word in words if word not in TEMPLATE_WORDS]
    if unknown:
        return f"has the word {{{unknown[0]}}}; allowed: {', '.join('{' + w + '}' for w in TEMPLATE_WORDS)}"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url(*, encrypted: bool) -> Check:
    """A server's address; with ``encrypted``, https is demanded of every host but this machine."""

    def problem(value: str) -> str | None:
        example = "such as https://ais.example.com:9300/jderest"
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises when it is no port number
        except ValueError as error:
            return f"is no URL: {error}; {example}"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return f"is {value!r}; allowed: http:// or https:// with a host, {example}"
        if parts.username is not None or parts.password is not None:
            # The value is not repeated: it may hold a password.
            return "holds a user name or password; they belong in the vault (jdebill credentials set)"
        if parts.query or parts.fragment:
            return f"has a query or fragment; only the address is allowed, {example}"
        if any(c.isspace() for c in value):
            return "has blanks in it"
        if encrypted and parts.scheme == "http" and not is_loopback(parts.hostname):
            return "is not encrypted; allowed: https:// (http:// only for this machine's own sandbox)"
        return None

    return Check(problem)


def all_of(*checks: Check) -> Check:
    """Several rules; the first that is broken speaks."""

    def problem(value: Any) -> str | None:
        return next((found for check in checks if (found := check.problem(value))), None)

    return Check(problem)


def _check(problem: Callable[[Any], str | None]) -> Check:
    return Check(problem)


NOT_EMPTY = _check(_not_empty)
UNIQUE = _check(_unique)
CRON = _check(_cron)
ZONE = _check(_zone)
TEMPLATE = _check(_template)
COMPANY = matches(r"(?!00000)\d{5}", 'a company number of five digits in quotes, such as "00001" (not 00000)')
STATUS = matches(r"\d{3}", 'a status of three digits in quotes, such as "280"')
DOCUMENT_TYPE = matches(r"[A-Z0-9#]{2}", "a JDE document type of two characters, such as PV")
PAY_STATUS = matches(r"\S", "a JDE pay status of one character, such as A")
SEARCH_TYPE = matches(r"[A-Z0-9]{1,3}", "a JDE search type of one to three characters, such as VX")
SHORT_ID = matches(r"[0-9A-Za-z]{8}", 'the short id of a JDE account, eight characters in quotes, such as "00000123"')
NAME = matches(r"[a-z][a-z0-9-]{0,29}", "a lower-case letter, then up to 29 lower-case letters, digits or hyphens")
ENVIRONMENT_VARIABLE = matches(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")
ORGANIZATION = matches(r"008[A-Za-z0-9]{17}", "a BILL organization id: 20 letters and digits that begin with 008")
PLAIN = matches(r"\S(.*\S)?", "text without blanks at its ends")

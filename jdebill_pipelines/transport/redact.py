"""Take secrets and personal numbers out of everything that may be printed or stored.

Belongs here: what counts as sensitive in URLs, headers and bodies. Does not belong here: logging itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

MASK = "***"

_CREDENTIAL_NAMES = (
    r"\$?(?:access_?|refresh_?|ps_?|csrf_?|api_?|sync_?|id_?)?token(?:value)?|\$?pass(?:word|wd|phrase)?|pwd|"
    r"\$?session_?id|aisSessionCookie|j?sessionid|dev_?key|api_?key|security_?key|secret(?:_?key)?|client_?secret|"
    r"external_?jwt|jwt|authorization|proxy-authorization|x-bill-sha-signature|cookie|set-cookie|jde-ais-auth|"
    r"mfa_?(?:id|token)|remember_?me_?id"
)
_PERSONAL_NAMES = r"tax_?id(?:number|_?type_?value)?|tax|ssn|ein|tin|national_?id|date_?of_?birth|birth_?date"
_BANK_NAMES = (
    r"routing_?(?:number|no)?|iban|swift(?:_?code)?|swft|bic|cbnk|tnst|bank_?account(?:_?(?:number|no|id))?|"
    r"name_?on_?account|card_?number|cvv"
)
_NAMED = re.compile(
    rf"""(?P<key>["'](?:[A-Z0-9]+_)?(?:{_CREDENTIAL_NAMES}|{_PERSONAL_NAMES}|{_BANK_NAMES})["']\s*:\s*)"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|-?[0-9][0-9.eE+-]*)""",
    re.IGNORECASE,
)
# JSON inside a JSON string: \"token\":\"...\".
_ESCAPED = re.compile(
    rf"""(?P<key>\\"(?:[A-Z0-9]+_)?(?:{_CREDENTIAL_NAMES}|{_PERSONAL_NAMES}|{_BANK_NAMES})\\"\s*:\s*)(?P<value>\\"[^"\\]*\\?"?)""",
    re.IGNORECASE,
)
# An account number of BILL may be a G/L account (short, useful) or a bank account (long, sensitive).
_ACCOUNT_NUMBER = re.compile(
    r"""(?P<key>\\?["'](?:[a-z]*account_?number|account_?no)\\?["']\s*:\s*)"""
    r"""(?P<value>\\?["']?[0-9][0-9 -]{5,}\\?["']?)""",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<key>\b(?:jde-AIS-Auth|authorization|proxy-authorization|sessionId|devKey|cookie|set-cookie)\s*[:=]\s*)"
    r"(?P<value>(?:Basic|Bearer)\s+[^\s,;\"']+|[^\s,;&\"'}]+)",
    re.IGNORECASE,
)
_QUERY = re.compile(
    rf"(?P<key>(?:[?&;\s]|^|\bamp;|\\u0026|%26)(?:\$|%24)?(?:{_CREDENTIAL_NAMES})(?:=|\\u003d|%3D))(?P<value>[^&\s\"'<>\\#]*)",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?P<key>\b[a-z][a-z0-9+.-]*://)(?P<value>[^/\s@\"']+)@", re.IGNORECASE)
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_EIN = re.compile(r"(?<![\w-])\d{2}-\d{7}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_SECRET_NAME = re.compile(rf"(?:{_CREDENTIAL_NAMES}|{_PERSONAL_NAMES}|{_BANK_NAMES})", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a header, query parameter or field of this name holds something that must not be shown."""
    return _SECRET_NAME.fullmatch(name) is not None


def redact_url(url: str) -> str:
    """A URL without credentials: no user info, no value of a sensitive query parameter (``token``, ``$token``, ...)."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
    except ValueError:
        return redact_text(url)
    query = "&".join(_redact_pair(pair) for pair in parts.query.split("&")) if parts.query else ""
    return redact_text(urlunsplit((parts.scheme, netloc, parts.path, query, "")))


def _redact_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    plain = name.replace("%24", "$").replace("%5F", "_")
    return f"{name}{equals}{MASK}" if equals and is_secret_name(plain) else pair


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A text (JSON, headers, HTML, a message) without secrets, tax ids and bank numbers.

    Args:
        text: what is about to be shown or stored.
        secrets: values known to be secret, taken out wherever and however encoded they occur.
    """
    if not text:
        return ""
    for secret in secrets:
        if len(secret) >= 4:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), secret.replace("/", "\\/")}:
                text = text.replace(form, MASK)
    text = _USERINFO.sub(rf"\g<key>{MASK}@", text)
    text = _NAMED.sub(rf'\g<key>"{MASK}"', text)
    text = _ESCAPED.sub(rf"\g<key>{MASK}", text)
    text = _ACCOUNT_NUMBER.sub(rf'\g<key>"{MASK}"', text)
    text = _QUERY.sub(rf"\g<key>{MASK}", text)
    text = _HEADER.sub(rf"\g<key>{MASK}", text)
    text = _SSN.sub(MASK, text)
    text = _EIN.sub(MASK, text)
    return _IBAN.sub(MASK, text)


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers for a log line: the values of sensitive ones are masked."""
    return {name: MASK if is_secret_name(name) else redact_text(value) for name, value in headers.items()}

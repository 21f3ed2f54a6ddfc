"""One HTTP request, and the credentials that it carries.

Belongs here: reading a request. Not here: what is done with it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from jdebill_pipelines.sandbox.ais.answers import JSON, AisError
from jdebill_pipelines.sandbox.ais.codec import Json, decode


@dataclass
class Request:
    """A request below the context root."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    address: str

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The query parameters in order."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    def parameter(self, name: str) -> str:
        """The last value of a query parameter, blank when there is none."""
        return dict(self.query).get(name, "")

    @cached_property
    def json(self) -> Json:
        """The body as a JSON object; an empty one for no body.

        Raises:
            AisError: 400 when it is not JSON or not an object.
        """
        if not self.body.strip():
            return {}
        try:
            found = decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AisError(400, f"Invalid JSON: {error}") from None
        if not isinstance(found, dict):
            raise AisError(400, "Invalid JSON: the request must be an object")
        return found

    def check_content_type(self, *, charset_allowed: bool) -> None:
        """JDE AIS: a POST must be `application/json`.

        Raises:
            AisError: 415.
        """
        given = self.headers.get("content-type", "")
        kind, _, parameter = given.partition(";")
        if kind.strip().lower() != JSON or (parameter.strip() and not charset_allowed):
            raise AisError(415, f"Unsupported Media Type: {given or 'none'}")

    def text(self, member: str) -> str:
        """A text member of the body, blank when absent.

        Raises:
            AisError: 400 when it is not text.
        """
        value = self.json.get(member)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise AisError(400, f"Invalid JSON: {member} must be a string")
        return value

    @cached_property
    def basic(self) -> tuple[str, str] | None:
        """User and password of a Basic header.

        Raises:
            AisError: 403 when the header cannot be read.
        """
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, mark, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise AisError(403, "Authorization Failure: unreadable Basic credentials") from None
        if not mark:
            raise AisError(403, "Authorization Failure: unreadable Basic credentials")
        return user, password

    def token(self) -> tuple[str, str]:
        """Token and device name from the headers, the body or the query, in this order; blank when there are none."""
        device = self.headers.get("jde-ais-auth-device", "")
        token = self.headers.get("jde-ais-auth", "")
        if not token:
            token = self.text("token") or self.parameter("$token") or self.parameter("token")
        device = device or self.text("deviceName") or self.parameter("$device")
        return token, device


def flag(value: Any, member: str) -> bool:
    """A boolean member of a body, which may be text; false when absent.

    Raises:
        AisError: 400 when it is neither.
    """
    if value is None or value == "":
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise AisError(400, f"Invalid JSON: {member} must be a boolean")

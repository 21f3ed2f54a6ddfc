"""What goes back over HTTP, and the bodies of errors.

Belongs here: the shape of an answer and of AIS's error bodies. Not here: when something is an error.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jdebill_pipelines.sandbox.ais.codec import Json

JSON = "application/json"
HTML = "text/html; charset=UTF-8"


@dataclass
class Answer:
    """One answer; `body` is sent as it is when bytes, as JSON otherwise."""

    body: Any = None
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


class AisError(Exception):
    """A request that AIS refuses, with its JSON error body."""

    def __init__(self, status: int, message: Any, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.more = more

    def body(self, now: dt.datetime) -> Json:
        """JDE AIS: ServiceErrorResponse."""
        body: Json = {"message": self.message, "exception": "Exception", "timeStamp": iso_stamp(now)}
        return {**body, **self.more}


class RawError(Exception):
    """An answer that breaks off the handling and has another shape than AIS's error body."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def iso_stamp(moment: dt.datetime) -> str:
    """A moment as error bodies and orchestrations write it: `2026-11-22T16:04:31.512+0000`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def data_stamp(local: dt.datetime) -> str:
    """A moment as form and data answers write it: `2026-11-22:16.04.31`."""
    return f"{local:%Y-%m-%d:%H.%M.%S}"


def html_page(status: int, text: str) -> Answer:
    """An error page of the container or of a proxy in front of it."""
    page = f"<html><head><title>{status} {text}</title></head><body><h1>Error {status}--{text}</h1></body></html>"
    return Answer(page.encode(), status, HTML)

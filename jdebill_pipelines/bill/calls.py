"""One call to BILL: a slot, the session, the answer's meaning, and whether it is tried again.

Belongs here: what is true of every call. Does not belong here: endpoints (``client``, ``events``), the reading of error
bodies (``problems``) or the mechanics of trying again (``transport.retry``).

What may be tried again (BILL API v3 has no idempotency keys on vendors, bills and payments):

* refused before execution (401, ``BDC_1322``, ``BDC_1144``, 429): any call;
* time-outs, resets, 5xx, HTML in place of JSON: reads, and writes that leave the same state when repeated;
* the same for a create: never; nobody knows what happened, and the caller looks it up (``lookup``).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import quote

from jdebill_pipelines.bill import codec
from jdebill_pipelines.bill.codec import MalformedAnswerError
from jdebill_pipelines.bill.config import BillApiConfig, BillCredentials
from jdebill_pipelines.bill.errors import Sent, error_for, login_error, unreadable
from jdebill_pipelines.bill.models import LoginAnswer
from jdebill_pipelines.bill.ports import CallGate, SessionCache
from jdebill_pipelines.bill.problems import Kind, Refusal, read_refusal
from jdebill_pipelines.bill.session import BillSession

log = logging.getLogger(__name__)

T = TypeVar("T")


class Safety(StrEnum):
    """What repeating a call would do."""

    READ = "read"  # nothing
    REPEATABLE = "repeatable"  # leave the same state
    CREATE = "create"  # perhaps make a second one

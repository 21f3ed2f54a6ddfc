"""The receiver as an ASGI application: ``POST /webhooks/{connection}``, ``/healthz``, ``/metrics``.

Belongs here: HTTP in and out, in the order of the checks: connection, content type, size, signature over the raw bytes,
and only then the content. Does not belong here: sockets and signals (server.py).

BILL API v3: a delivery succeeded when the answer is exactly 200; anything else is delivered again, and after too many
failures BILL disables the subscription. So a duplicate is 200, and an outage of ours is 503, never 200.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jdebill_pipelines.bill.envelope import EnvelopeError, read_envelope
from jdebill_pipelines.bill.signature import SIGNATURE_HEADER, SignatureError, SignatureStep, check
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.config.vault import Vault, VaultError
from jdebill_pipelines.receiver.intake import COMMITTERS, Busy, Intake
from jdebill_pipelines.receiver.keys import KeyRing, loaders
from jdebill_pipelines.receiver.metrics import Metrics
from jdebill_pipelines.receiver.reasons import STATUS, UNKNOWN, Reason
from jdebill_pipelines.receiver.refusals import Refusals
from jdebill_pipelines.store.inbox import InboxEvent, InboxStats
from jdebill_pipelines.store.store import Store

T = TypeVar("T")

MAX_BODY_BYTES = 1 << 20
READ_SECONDS = 10.0
STORE_SECONDS = 10.0
HEALTH_SECONDS = 3.0
# The counts over the whole inbox are not taken anew for every scrape.
STATS_SECONDS = 15.0
THREADS = COMMITTERS + 2

log = logging.getLogger("jdebill.receiver")

_REASONS = {
    SignatureStep.KEY: Reason.NO_KEY,
    SignatureStep.HEADER: Reason.NO_SIGNATURE,
    SignatureStep.ENCODING: Reason.SIGNATURE_FORM,
    SignatureStep.MATCH: Reason.BAD_SIGNATURE,
}


class Refused(Exception):
    """A post that is not taken in.

    Attributes:
        reason: why; decides the status.
        text: for the sender; never anything of the body.
        facts: for the alert.
    """

    def __init__(self, reason: Reason, text: str, **facts: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.facts = facts


class Receiver:
    """The state of the process and its endpoints.

    Args:
        engine: the database; its pool holds at least ``THREADS`` connections.
        vault: opens the security keys.
        connections: that events are taken for.
    """

    def __init__(self, engine: Engine, vault: Vault, connections: Mapping[str, Connection]) -> None:
        self.metrics = Metrics()
        self._engine = engine
        self._connections = dict(connections)
        self._stores = {name: Store(engine, name) for name in connections}
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        self._intake = Intake(self._stores, self._executor, self.metrics)
        self._keys = {name: KeyRing(load, self._blocking) for name, load in loaders(self._stores, vault).items()}
        self._refusals = Refusals({**self._stores, UNKNOWN: Store(engine, UNKNOWN)}, self._connections, self._executor)
        self._stats: dict[str, InboxStats] = {}
        self._stats_at = float("-inf")

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Start and end the background work; at the end everything accepted is stored."""
        self._intake.start()
        self._refusals.start()
        try:
            yield
        finally:
            await self._intake.close()
            await self._refusals.close()
            self._executor.shutdown(wait=True)

    async def webhook(self, request: Request) -> Response:
        """Take an event in."""
        begun = time.perf_counter_ns()
        name = str(request.path_params["connection"])
        known = name if name in self._connections else UNKNOWN
        try:
            await self._take_in(known, request)
            outcome, response = "stored", PlainTextResponse("stored\n")
        except Refused as refused:
            status = STATUS[refused.reason]
            # The rest of a body that nobody reads is not waited for.
            headers = {"connection": "close", **({"retry-after": "30"} if status == 503 else {})}
            outcome, response = refused.reason.value, PlainTextResponse(f"{refused.text}\n", status, headers)
            if status < 500:
                self._refusals.add(known, refused.reason, refused.facts)
        self.metrics.answer(known, outcome, (time.perf_counter_ns() - begun) // 1000)
        return response

    async def health(self, _request: Request) -> Response:
        """Whether the database answers: 200 or 503."""
        if await self._database_up():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("the database does not answer\n", 503)

    async def scrape(self, _request: Request) -> Response:
        """The metrics of this process, and the inbox's counts where the database answers."""
        up = await self._database_up()
        if up and time.monotonic() - self._stats_at > STATS_SECONDS:
            self._stats = {name: await self._blocking(store.inbox.stats) for name, store in self._stores.items()}
            self._stats_at = time.monotonic()
        text = self.metrics.text(waiting=self._intake.waiting, database_up=up, inbox=self._stats)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def _take_in(self, name: str, request: Request) -> None:
        if name == UNKNOWN:
            raise Refused(Reason.CONNECTION, "there is no such connection")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise Refused(Reason.CONTENT_TYPE, "the content type must be application/json")
        body = await _read(request)
        await self._verify(name, body, request)
        try:
            event = self._event(name, body)
        except EnvelopeError as error:
            raise Refused(Reason.MALFORMED, str(error), problem=str(error)) from None
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._intake.put(name, event)
        except Busy:
            raise Refused(Reason.BUSY, "too many events wait; come again") from None
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("%s: an event was not stored: %s", name, type(error).__name__)
            raise Refused(Reason.DATABASE, "the event could not be stored; come again") from None

    async def _verify(self, name: str, body: bytes, request: Request) -> None:
        """Verify the raw bytes; a signature that does not fit is tried again with keys read after it came."""
        header, arrived = request.headers.get(SIGNATURE_HEADER), time.monotonic()
        ring = self._keys[name]
        try:
            keys = await ring.current()
            try:
                matched = check(body, header, keys.accepted(datetime.now(UTC)))
            except SignatureError as error:
                if error.step not in (SignatureStep.KEY, SignatureStep.MATCH):
                    raise
                keys = await ring.newer_than(arrived)
                if keys.is_changing(datetime.now(UTC)):
                    raise Refused(Reason.CHANGING_KEY, "the key is being changed; come again") from None
                matched = check(body, header, keys.accepted(datetime.now(UTC)))
        except SignatureError as error:
            sender = request.client.host if request.client else ""
            raise Refused(_REASONS[error.step], str(error), sender=sender, bytes=str(len(body))) from None
        except (SQLAlchemyError, VaultError, msgspec.DecodeError) as error:
            # What the vault says of a key holds no secret; what the driver says may hold the whole URL.
            log.warning("%s: the security key was not read: %s", name, _words(error))
            raise Refused(Reason.DATABASE, "the security key cannot be read; come again") from None
        if matched > 0:
            self.metrics.previous_key[name] += 1

    def _event(self, name: str, body: bytes) -> InboxEvent:
        envelope = read_envelope(body)
        if envelope.organization_id != self._connections[name].bill.organization_id:
            raise Refused(
                Reason.ORGANIZATION,
                "the event is of another organization than this connection's",
                organization=envelope.organization_id,
                event=envelope.event_id,
            )
        return InboxEvent(
            event_id=envelope.event_id,
            event_type=envelope.event_type,
            entity_kind=envelope.entity_kind,
            entity_id=envelope.entity_id,
            entity_updated=envelope.entity_updated,
            body=body,
        )

    async def _database_up(self) -> bool:
        def ask() -> None:
            with self._engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))

        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await self._blocking(ask)
        except Exception as error:  # noqa: BLE001 - whatever it is, the database does not answer
            log.warning("the database does not answer: %s", type(error).__name__)
            return False
        return True

    async def _blocking(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


def build_app(engine: Engine, vault: Vault, connections: Mapping[str, Connection]) -> Starlette:
    """The application.

    Args:
        engine: the database; its pool holds at least ``THREADS`` connections.
        vault: opens the security keys.
        connections: by name; posts to any other are 404.
    """
    receiver = Receiver(engine, vault, connections)
    return Starlette(
        routes=[
            Route("/webhooks/{connection}", receiver.webhook, methods=["POST"]),
            Route("/healthz", receiver.health),
            Route("/metrics", receiver.scrape),
        ],
        lifespan=receiver.lifespan,
    )


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, VaultError) else type(error).__name__


async def _read(request: Request) -> bytes:
    """Read the body, no further than the limit and no longer than a few seconds."""
    announced = request.headers.get("content-length", "")
    too_large = Refused(Reason.TOO_LARGE, f"the body may have at most {MAX_BODY_BYTES} bytes")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise Refused(Reason.TOO_SLOW, f"the body took longer than {READ_SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise Refused(Reason.TOO_SLOW, "the sender went away") from None
    return bytes(body)

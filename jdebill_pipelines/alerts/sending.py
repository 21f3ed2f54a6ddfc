"""Sends what is in the outbox through the channels of a connection.

Belongs here: channels, retries, what becomes of a channel that fails. Does not belong here: words (rendering.py).

A channel is an apprise URL: Slack, Teams, e-mail, PagerDuty, a webhook. URLs hold secrets: they come from one
environment variable and are never logged, stored or shown. A channel that fails is tried again alone, so that the
others get an alert once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote, urlsplit

import apprise

from jdebill_pipelines.alerts.causes import Alert
from jdebill_pipelines.alerts.rendering import UI_VARIABLE, Message, render
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.alerts import AlertContent
from jdebill_pipelines.store.alerts import QueuedAlert
from jdebill_pipelines.store.store import Store

# A sender works within a sensor's tick, which is ended from outside after a minute.
MOST_SECONDS = 25.0
MOST_ALERTS = 10
_CHANNEL = "channel"
_SUPPRESSED = "suppressed"
_URLS = re.compile(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)")
_SHORTEST_SECRET = 4
_OVERFLOW = re.compile(r"[?&]overflow=", re.IGNORECASE)
# What takes less at once (text messages) or rings for each piece (pagers) gets the beginning of an alert.
_WORTH_SPLITTING = 500
_PAGERS = re.compile(r"(pagerduty|pagertree|opsgenie|splunk|victorops|signl4)://", re.IGNORECASE)

log = logging.getLogger("jdebill.alerts")


@dataclass(frozen=True, slots=True)
class Channel:
    """Where alerts go.

    Attributes:
        label: for people: its place in the variable and its kind.
        digest: names it in the outbox.
    """

    label: str
    digest: str
    url: str

    def __repr__(self) -> str:
        return f"Channel({self.label})"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What ``deliver`` did: alerts sent, channels that failed and will be tried again, alerts given up."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0


def channels_of(connection: Connection, env: Mapping[str, str] | None = None) -> list[Channel]:
    """The channels of a connection; none when no variable is named or it is empty.

    Args:
        connection: names the variable; URLs in it are separated by blanks, commas or lines.
        env: the environment, default the process's own.
    """
    variable = connection.alerts.urls_env
    text = ((os.environ if env is None else env).get(variable, "") if variable else "").strip(", \t\r\n")
    urls = dict.fromkeys(url for url in _URLS.split(text) if url)
    return [
        Channel(
            label=f"{number} ({url.partition('://')[0].lower() if '://' in url else 'no URL'})",
            digest=hashlib.sha256(url.encode("utf-8")).hexdigest()[:12],
            url=url,
        )
        for number, url in enumerate(urls, start=1)
    ]


def send(channel: Channel, message: Message) -> str:
    """Send one message through one channel; returns why it failed, ``''`` when it was sent. Never raises."""
    # What apprise logs may show parts of the URL: it is kept from all other handlers.
    logging.getLogger("apprise").propagate = False
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as captured:  # type: ignore[no-untyped-call]
        try:
            _load_kinds()
            sender = apprise.Apprise()
            service = sender.instantiate(channel.url)
            if not isinstance(service, apprise.NotifyBase):
                return "this is no URL that apprise knows"
            if _OVERFLOW.search(channel.url) is None:
                # Apprise would send a text that is too long as it is, and the service would refuse it every time.
                whole = service.body_maxlen >= _WORTH_SPLITTING and not _PAGERS.match(channel.url)
                service.overflow_mode = apprise.OverflowMode.SPLIT if whole else apprise.OverflowMode.TRUNCATE
            sender.add(service)
            done = sender.notify(body=message.text, title=message.title, body_format=apprise.NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001 - no channel may end a sensor or a run, whatever its library raises
            return f"{type(error).__name__}"
        said = captured.getvalue() if captured is not None else ""
    if done:
        return ""
    return _without_secrets(" ".join(said.split()), channel.url)[:300] or "it was not accepted"


def offer(store: Store, alert: Alert, *, window_minutes: int) -> bool:
    """Put an alert into the outbox, unless its cause was told within the window."""
    return store.alerts.offer(alert.fingerprint, alert.subject, alert.content.body(), window_minutes=window_minutes)


def deliver(
    store: Store,
    connection: Connection,
    *,
    env: Mapping[str, str] | None = None,
    limit: int = MOST_ALERTS,
    seconds: float = MOST_SECONDS,
) -> Delivered:
    """Send what is due in the outbox.

    Without a channel nothing is taken: the alerts wait until one is configured.

    Args:
        store: of the connection.
        connection: names the variable of the channels.
        env: the environment, default the process's own.
        limit: how many alerts at most.
        seconds: after which no further alert is begun.
    """
    env = os.environ if env is None else env
    channels = channels_of(connection, env)
    if not channels:
        return Delivered()
    ends, worker = time.monotonic() + seconds, f"{socket.gethostname()}:{os.getpid()}"
    sent = failed = given_up = 0
    for _ in range(limit):
        if time.monotonic() >= ends:
            break
        # One at a time: what is taken and not begun would wait for its lease.
        taken = store.alerts.take(worker, limit=1)
        if not taken:
            break
        (alert,) = taken
        problems = _send_to_all(store, connection, alert, channels, env.get(UI_VARIABLE, ""))
        failed += len(problems)
        reached = len(_wanted(alert, channels)) - len(problems)
        if reached > 0:
            store.alerts.sent(alert.id, told=alert.suppressed)
            sent += 1
        elif problems and store.alerts.failed(alert.id, "; ".join(problems)):
            log.warning("%s: alert %d was not sent: %s", connection.name, alert.id, "; ".join(problems))
        else:
            if not problems:
                store.alerts.failed(alert.id, "its channel is not configured any more", max_attempts=0)
            given_up += 1
            log.error("%s: alert %d (%s) is given up", connection.name, alert.id, alert.fingerprint)
    return Delivered(sent, failed, given_up)


@cache
def _load_kinds() -> None:
    """Let apprise load its kinds of channels; on Python 3.11 and 3.12 one of them imports a deprecated module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        apprise.Apprise.instantiate("json://127.0.0.1")


def _wanted(alert: QueuedAlert, channels: Sequence[Channel]) -> list[Channel]:
    only = alert.body.get(_CHANNEL)
    return [channel for channel in channels if only in (None, channel.digest)]


def _send_to_all(
    store: Store, connection: Connection, alert: QueuedAlert, channels: Sequence[Channel], ui_url: str
) -> list[str]:
    """Send an alert everywhere; returns what failed. Where some channels took it, the others get one of their own."""
    suppressed = alert.suppressed + int(alert.body.get(_SUPPRESSED, 0))
    content = AlertContent.of(alert.body)
    message = render(connection.name, alert.subject, content, suppressed=suppressed, ui_url=ui_url)
    wanted = _wanted(alert, channels)
    problems = {channel: problem for channel in wanted if (problem := send(channel, message))}
    if len(problems) < len(wanted):
        for channel, problem in problems.items():
            log.warning("%s: channel %s: %s; it is tried again", connection.name, channel.label, problem)
            store.alerts.offer(
                f"{alert.fingerprint}#{channel.digest}",
                alert.subject,
                {**content.body(), _CHANNEL: channel.digest, _SUPPRESSED: suppressed},
                window_minutes=0,
            )
    return [f"channel {channel.label}: {problem}" for channel, problem in problems.items()]


def _without_secrets(text: str, url: str) -> str:
    """Blank out every part of a channel's URL that a library may have put into its words."""
    parts = urlsplit(url)
    found = {url, parts.netloc, parts.query, parts.path.strip("/"), parts.username or "", parts.password or ""}
    found |= set(re.split(r"[/?&=:@]", url.partition("://")[2]))
    for secret in sorted({*found, *(unquote(part) for part in found)}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text

"""Signed posts at fixed times, whatever becomes of those before: an open loop, as a sender outside is one.

Belongs here: sending and timing. Nothing of the product is imported: bodies, signatures and HTTP are made here. Times
count from the moment a post was due, not from the moment it was sent: a stall of either side is not left out.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import hashlib
import hmac
import json
import time
from typing import Any

from jdebill_pipelines_tests.bench.child import Watch, run

TIMEOUT_SECONDS = 20.0
LEAD_SECONDS = 0.5
_HEAD = (
    "POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
    "x-bill-sha-signature: {signature}\r\ncontent-length: {length}\r\n\r\n"
)


def body(organization: str, event_id: str, number: int) -> bytes:
    """A payment event as long as BILL's own."""
    return json.dumps(
        {
            "metadata": {
                "eventId": event_id,
                "subscriptionId": "5b0c2f0e-6d9b-4c7e-9f42-1f7f6a0c11aa",
                "organizationId": organization,
                "eventType": "payment.updated",
                "version": "1",
            },
            "payment": {
                "id": f"stp{number:017d}",
                "billIds": [f"00n{number:017d}"],
                "transactionNumber": f"AP20260612{number:06d}",
                "status": "PROCESSED",
                "processDate": "2026-06-12",
                "createdBy": "00601CVBNQWTZK5lm2ru",
                "createdTime": "2026-06-01T09:14:33.000+00:00",
                "updatedTime": "2026-06-12T14:00:03.000+00:00",
                "funding": {
                    "amount": 1374.50,
                    "currency": "USD",
                    "fundingAccount": {"id": "bac01RTVWQKZMN2cd9xe", "type": "BANK_ACCOUNT", "name": "Operating"},
                },
                "disbursement": {"amount": 1374.50, "currency": "USD", "arrivesByDate": "2026-06-19"},
                "vendor": {"id": "00901KXQWTZPLM7rs4vd", "name": "Brightwater Plumbing LLC"},
                "billingType": "BDC",
            },
        }
    ).encode()


class Lines:
    """Connections that stay open; as many as there are posts under way."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.opened = 0

    async def post(self, request: bytes) -> int:
        """Send a request and return the status of its answer; 0 when there was none."""
        line = None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                line = self._free.pop() if self._free else await self._open()
                reader, writer = line
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
        except (OSError, EOFError, TimeoutError, ValueError):
            if line is not None:
                line[1].close()
            return 0
        if b"connection: close" in head:
            writer.close()
        else:
            self._free.append(line)
        return int(head.split(b" ", 2)[1])

    async def close(self) -> None:
        """Close all."""
        for _, writer in self._free:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.opened += 1
        return await asyncio.open_connection(self._host, self._port)


async def _send(lines: Lines, requests: list[bytes], rate: float) -> tuple[list[int], list[float], float]:
    loop = asyncio.get_running_loop()
    statuses, seconds, latest = [0] * len(requests), [0.0] * len(requests), 0.0

    async def one(index: int, due: float) -> None:
        statuses[index] = await lines.post(requests[index])
        seconds[index] = loop.time() - due

    begun, posts = loop.time() + LEAD_SECONDS, []
    for index in range(len(requests)):
        due = begun + index / rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        latest = max(latest, loop.time() - due)
        posts.append(asyncio.ensure_future(one(index, due)))
    await asyncio.gather(*posts)
    await lines.close()
    return statuses, seconds, latest


def measured(spec: dict[str, Any], watch: Watch) -> dict[str, Any]:
    """Send events ``<prefix>-0`` ... ``<prefix>-<posts-1>``; tells status and seconds of each, and how late it sent."""
    requests = []
    for number in range(spec["posts"]):
        raw = body(spec["organization"], f"{spec['prefix']}-{number}", number)
        signature = base64.b64encode(hmac.new(spec["key"].encode(), raw, hashlib.sha256).digest()).decode()
        head = _HEAD.format(
            path=spec["path"], host=spec["host"], port=spec["port"], signature=signature, length=len(raw)
        )
        requests.append(head.encode() + raw)
    lines = Lines(spec["host"], spec["port"])
    gc.disable()
    with watch.running():
        begun = time.perf_counter()
        statuses, seconds, latest = asyncio.run(_send(lines, requests, spec["rate"]))
        took = time.perf_counter() - begun - LEAD_SECONDS
    return {"statuses": statuses, "seconds": seconds, "latest": latest, "took": took, "connections": lines.opened}


if __name__ == "__main__":
    run(measured)

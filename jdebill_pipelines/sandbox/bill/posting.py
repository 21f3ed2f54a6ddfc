"""One HTTP POST to a subscriber.

Belongs here: the socket. Not here: what is sent, and whether to try again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

NO_ANSWER = 599  # recorded where no HTTP status came back


async def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> int:
    """The HTTP status that the subscriber answered, or `NO_ANSWER`."""
    try:
        async with asyncio.timeout(timeout):
            return await _post(url, body, headers)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, ssl.SSLError):
        return NO_ANSWER


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = ssl.create_default_context() if secure else None
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        status = (await reader.readuntil(b"\r\n")).split(b" ", 2)
        await reader.read()
        return int(status[1])
    finally:
        writer.close()

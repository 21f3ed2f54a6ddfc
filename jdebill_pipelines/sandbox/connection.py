"""Breaking off a connection under uvicorn.

Belongs here: reaching the transport of a response. Not here: when to do so.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any


async def reset_connection(send: Any) -> None:
    """End the connection with a TCP reset: the peer sees that it was broken off, not that it was finished.

    Args:
        send: the ASGI `send` of a uvicorn request, a method of the object that holds the transport.

    Raises:
        RuntimeError: the server is not uvicorn.
    """
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if cycle is None or transport is None:
        raise RuntimeError("connections can be reset under uvicorn only")
    if cycle.disconnected:
        return
    sock = transport.get_extra_info("socket")
    # Lingering for no time at all makes the kernel send RST instead of FIN.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    # Once uvicorn knows that the peer is gone, it does not complain about the answer that is missing.
    while not cycle.disconnected:
        await asyncio.sleep(0)

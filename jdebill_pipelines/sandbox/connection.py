"""Breaking off a connection under uvicorn.

Belongs here: reaching the transport of a response. Not here: when to do so.
"""

from __future__ import annotations

import socket
import struct
from typing import Any


def reset_connection(send: Any) -> None:
    """End the connection with a TCP reset: the peer sees that it was broken off, not that it was finished.

    Args:
        send: the ASGI `send` of a uvicorn request, a method of the object that holds the transport.

    Raises:
        RuntimeError: the server is not uvicorn.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("connections can be reset under uvicorn only")
    sock = transport.get_extra_info("socket")
    # Lingering for no time at all makes the kernel send RST instead of FIN.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()

"""The least that a receiver can be: reads the post, answers 200. No signature, no database; same server, same settings.

Belongs here: the yardstick of `receiver-load`. It ends when its standard input does.
"""

from __future__ import annotations

import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


async def answer(request: Request) -> Response:
    """Read everything, keep nothing."""
    async for _ in request.stream():
        pass
    return PlainTextResponse("stored\n")


def main(port: int) -> None:
    """Serve until standard input ends."""
    app = Starlette(routes=[Route("/webhooks/{connection}", answer, methods=["POST"])])
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=port, http="httptools", access_log=False, server_header=False, log_config=None,
            timeout_keep_alive=30,
        )
    )  # fmt: skip

    def watch() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""The page's server: on this computer alone, until Ctrl-C."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from kineme.errors import KinemeError, one_line
from kineme.explore.app import application
from kineme.explore.guard import Guard
from kineme.explore.pages import page_files
from kineme.explore.told import Explored

LOOPBACK = "127.0.0.1"
FREE = 0  # port: any that is free
PATIENCE = 2  # seconds that running requests have when the server is stopped


def listening(port: int) -> socket.socket:
    """A socket that accepts connections from this computer only.

    Raises:
        KinemeError: the port is taken, or none.
    """
    if not 0 <= port <= 65535:
        raise KinemeError(f"`port`: is {port}; it must be 1 to 65535")
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((LOOPBACK, port))
        opened.listen(128)
    except OSError as error:
        opened.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be used ({one_line(error)})"
        raise KinemeError(f"`port`: {port} {reason}; choose another, or leave it out") from error
    return opened


def server(explored: Explored, port: int, token: str) -> uvicorn.Server:
    """The page's server, for a socket on a port."""
    guarded = Guard(application(explored), port, token, set(page_files()) - {"/"})
    config = uvicorn.Config(
        guarded,
        log_level="error",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=PATIENCE,
    )
    return uvicorn.Server(config)


def serve(explored: Explored, opened: socket.socket, started: Callable[[str], None]) -> None:
    """Serves the page until Ctrl-C or SIGTERM.

    Args:
        explored: what the page is about.
        opened: where it is served, see `listening`.
        started: called once with the link to the page.
    """
    port, token = opened.getsockname()[1], secrets.token_urlsafe(24)
    serving = server(explored, port, token)
    explored.learner.start()
    started(f"http://{LOOPBACK}:{port}/?token={token}")
    try:
        with suppress(KeyboardInterrupt):  # uvicorn raises it again when it has stopped
            serving.run(sockets=[opened])
    finally:
        explored.learner.stop()

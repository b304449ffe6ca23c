"""Access control of the page's server: only a browser on this computer, with the token of the printed link.

A page of the internet that somebody has open in the same browser can send requests here, too. It does not
know the token; its `Origin` is another; and a name of its own that it points at this computer is another
`Host`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LARGEST = 4 << 20  # bytes of a request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
REFUSED = {
    400: "This page can only be opened on this computer, with the link that kineme explore printed.",
    403: "Open this page with the link that kineme explore printed when it was last started.",
    413: "This request is too large.",
}


class Guard:
    """Middleware that refuses what is not from the page itself, and sends headers that close the page."""

    def __init__(self, app: App, port: int, token: str, files: Iterable[str]) -> None:
        """Guards an application.

        Args:
            app: what is guarded.
            port: that it is served on.
            token: that requests need.
            files: paths that need no token, since they hold nothing of the user's.
        """
        self._app, self._token, self._files = app, token.encode(), frozenset(files)
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands a request on, or answers that it is refused."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        status = self._refusal(scope) if scope["type"] == "http" else 403  # no web sockets
        if status is None:
            await self._app(scope, receive, answer)
            return
        head = [(b"content-type", b"text/plain; charset=utf-8")]
        await answer({"type": "http.response.start", "status": status, "headers": head})
        await answer({"type": "http.response.body", "body": REFUSED[status].encode()})

    def _refusal(self, scope: Message) -> int | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host, origin = headers.get(b"host", b""), headers.get(b"origin")
        if host not in self._hosts or (origin is not None and origin != b"http://" + host):
            return 400
        if int(headers.get(b"content-length", b"0")) > LARGEST:
            return 413
        if scope["path"] in self._files:
            return None
        given = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if scope["path"] == "/":
            given = parse_qs(scope["query_string"]).get(b"token", [b""])[0]
        return None if compare_digest(given, self._token) else 403

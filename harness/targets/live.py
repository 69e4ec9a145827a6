"""The service at an address, started by somebody else: nothing of it is ours to start or stop."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from harness.errors import TargetError
from harness.facts import Surprise
from harness.manners import SAFE
from harness.targets import Asgi, Receive, Scope, Send
from harness.targets.forward import SILENT_S, Forward
from harness.targets.turns import Turns

CONNECT_S = 5.0


class Live:
    """A deployment at `url`. Entering it only sees that something accepts connections there.

    What is not `writable` is sent nothing that asks for a change; each request waits for its turn.
    """

    def __init__(self, url: str, *, writable: bool = True, turns: Turns | None = None) -> None:
        self.url = url
        self._writable = writable
        self._turns = turns
        self._forward = Forward(url, connect_s=CONNECT_S, silent_s=SILENT_S)
        self.app: Asgi = _nothing
        self.wire: Asgi = self._forward if writable and turns is None else self._mannered
        self.trouble: Surprise | None = None  # nothing of it is ours to stop

    async def __aenter__(self) -> Live:
        parts = urlsplit(self.url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
        try:
            connecting = asyncio.open_connection(parts.hostname, port)
            _, writer = await asyncio.wait_for(connecting, CONNECT_S)
        except OSError as error:  # TimeoutError is one
            raise TargetError(
                "target/dead",
                f"nothing answers at {self.url}: {error.strerror or 'no answer in time'}",
                where=self.url,
                next_step="start the service, or name another address with --target",
            ) from None
        writer.close()
        self._forward.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._forward.close()

    async def _mannered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on when it may be sent. A WebSocket's handshake is a GET."""
        method = scope.get("method", "GET")
        if not self._writable and method not in SAFE:
            raise not_sent(method, scope["path"], self.url)
        if self._turns is not None:
            await self._turns.wait()
        await self._forward(scope, receive, send)


def not_sent(method: str, path: str, url: str) -> TargetError:
    """Make the error of a request that would write where nobody may."""
    host = urlsplit(url).hostname
    return TargetError(
        "target/not-writable",
        f"{method} {path} was not sent: {host} is not writable",
        where=url,
        next_step="mark the test, @pytest.mark.writes, and it is skipped there; or, if it "
        f"may write: --writable {host}, or writable in the plan's profile",
    )


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where an application would: a deployment's own is not in this process."""
    raise RuntimeError("a live target is reached over its wire")

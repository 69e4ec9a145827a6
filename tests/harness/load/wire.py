"""A server of raw bytes: it writes down what it is sent, and answers as a script says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

CLOSE = None
"""In a script: the connection ends here."""

Piece = bytes | float | None
"""Bytes to send, seconds to wait, or `CLOSE`."""


class Received(NamedTuple):
    """A request as it came. `headers` in an order of their own."""

    method: str
    target: str
    headers: tuple[str, ...]
    body: bytes


@dataclass
class Wire:
    """Answers the first request by the first of `answers`, and so on; after the last, by the last.

    `received` are the requests, `opened` counts connections, `open` those that still are.
    """

    answers: Sequence[Sequence[Piece]]
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    reads_body: bool = True

    def __post_init__(self) -> None:
        self.received: list[Received] = []
        self.opened = self.open = 0
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._accept, self.host, 0, ssl=self.tls)
        port = self._server.sockets[0].getsockname()[1]
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.url = f"http{'s' if self.tls else ''}://{host}:{port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def begin(self, answers: Sequence[Sequence[Piece]] | None = None) -> None:
        """Forget what was received."""
        self.answers = answers or self.answers
        self.received.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        self.opened += 1
        self.open += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._talk(reader, writer):
                    pass
        finally:
            self.open -= 1
            self._talks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take a request and answer it; tell whether there may be another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {name.lower(): value for name, _, value in (h.partition(": ") for h in head[1:])}
        body = await self._body(reader, headers) if self.reads_body else b""
        answer = self.answers[min(len(self.received), len(self.answers) - 1)]
        self.received.append(Received(method, target, tuple(sorted(head[1:-2])), body))
        for piece in answer:
            if piece is CLOSE:
                return False
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        return True

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        found = b""
        while size := int(await reader.readline(), 16):
            found += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return found

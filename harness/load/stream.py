"""The body of an answer as it comes, under `aiohttp.StreamReader`'s documented surface."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

MOST_AHEAD = 256 * 1024
"""Bytes that may come before anybody reads them; then the server waits."""

_MOST_LINE = 2 * MOST_AHEAD
_INCOMPLETE = "a call of read() waits for this body already"


class Stream:
    """Bytes in order. `on_full` and `on_read` are told when the server is to wait, and to go on."""

    __slots__ = (
        "_chunks", "_eof", "_error", "_held", "_is_full", "_on_eof", "_on_full", "_on_read",
        "_splits", "_waiter", "total_bytes",
    )  # fmt: skip

    def __init__(self, on_full: Callable[[], None], on_read: Callable[[], None]) -> None:
        self.total_bytes = 0
        self._chunks: list[bytes] = []
        self._held = 0
        self._eof = self._is_full = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._splits: deque[int] | None = None
        self._on_eof: list[Callable[[], None]] | None = None
        self._on_full = on_full
        self._on_read = on_read

    # What the connection tells it.

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self.total_bytes += len(data)
        self._chunks.append(data)
        self._held += len(data)
        if self._held > MOST_AHEAD and not self._is_full:
            self._is_full = True
            self._on_full()
        self._wake()

    def hold(self, whole: bytes, *, is_read: bool) -> None:
        """Take all of it, which has come already, and may have been read."""
        self.total_bytes = len(whole)
        if whole and not is_read:
            self._chunks.append(whole)
            self._held = len(whole)
        self._eof = True

    def split(self) -> None:
        """Know that a chunk of the transfer coding ends here."""
        if self._splits is None:
            self._splits = deque()
        if not self._splits or self._splits[-1] != self.total_bytes:
            self._splits.append(self.total_bytes)
        self._wake()

    def feed_eof(self) -> None:
        """Know that this was all. From now on the connection is others'."""
        self._eof = True
        self._go_on()
        self._wake()
        for callback in self._on_eof or ():
            callback()

    def set_exception(self, error: BaseException) -> None:
        """Know that there will be no more, and why. Nothing can be read any more."""
        self._error = error
        self._go_on()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    # What a scenario asks of it.

    def exception(self) -> BaseException | None:
        """Return what broke it, if anything did."""
        return self._error

    def is_eof(self) -> bool:
        """Tell whether all of it has come."""
        return self._eof

    def at_eof(self) -> bool:
        """Tell whether all of it has come, and was read."""
        return self._eof and not self._held

    def on_eof(self, callback: Callable[[], None]) -> None:
        """Call back when all of it has come, or at once."""
        if self._eof:
            callback()
        else:
            self._on_eof = [*(self._on_eof or ()), callback]

    @property
    def was_read(self) -> bool:
        """Whether any of it was read."""
        return self.total_bytes > self._held

    def ahead(self, n: int) -> bytes:
        """Return the first `n` bytes, as far as they have come; none where any was read."""
        return b"" if self.was_read else b"".join(self._chunks)[:n]

    async def read(self, n: int = -1) -> bytes:
        """Return the rest of it; with `n`, at most so many bytes, as soon as there are any."""
        if n < 0:
            found = []
            while not self._eof or self._held:
                found.append(await self.readany())
            self._check()
            return b"".join(found)
        self._check()
        if not n:
            return b""
        await self._come()
        return self._taken(n)

    async def wait_eof(self) -> None:
        """Wait until all of it has come."""
        self._check()
        while not self._eof:
            await self._more()
            self._check()

    async def readany(self) -> bytes:
        """Return what has come and was not read, as soon as there is anything."""
        await self._come()
        return self._taken(self._held)

    def read_nowait(self, n: int = -1) -> bytes:
        """Return what has come and was not read, or at most `n` bytes of it."""
        self._check()
        if self._waiter is not None and not self._waiter.done():
            raise RuntimeError(_INCOMPLETE)
        return self._taken(self._held if n < 0 else n)

    async def readexactly(self, n: int) -> bytes:
        """Return `n` bytes. Raises IncompleteReadError where there are fewer."""
        found = b""
        while len(found) < n:
            piece = await self.read(n - len(found))
            if not piece:
                raise asyncio.IncompleteReadError(found, n)
            found += piece
        return found

    async def readline(self) -> bytes:
        """Return a line with its end."""
        return await self.readuntil()

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Return what comes to the end of `separator`. Raises ValueError for a very long line."""
        if not separator:
            raise ValueError("Separator should be at least one-byte string")
        while True:
            self._check()
            self._joined()
            end = self._chunks[0].find(separator) if self._held else -1
            if (self._held if end < 0 else end) > _MOST_LINE:
                raise ValueError("Chunk too big")
            if end >= 0:
                return self._taken(end + len(separator))
            if self._eof:
                return self._taken(self._held)
            self._go_on()
            await self._more()

    async def readchunk(self) -> tuple[bytes, bool]:
        """Return what has come, and whether a chunk of the transfer coding ends with it."""
        while True:
            self._check()
            read = self.total_bytes - self._held
            while self._splits and self._splits[0] <= read:
                if self._splits.popleft() == read and read:
                    return b"", True
            if self._splits:
                return self._taken(self._splits.popleft() - read), True
            if self._held or self._eof:
                return self._taken(self._held), False
            await self._more()

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield what comes as it comes."""
        while data := await self.readany():
            yield data

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        """Yield pieces of at most `n` bytes."""
        while data := await self.read(n):
            yield data

    async def iter_chunks(self) -> AsyncIterator[tuple[bytes, bool]]:
        """Yield pieces, each with whether a chunk of the transfer coding ends with it."""
        while (found := await self.readchunk()) != (b"", False):
            yield found

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while line := await self.readline():
            yield line

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _come(self) -> None:
        """Wait until there is something to read, or nothing more will come."""
        self._check()
        while not self._held and not self._eof:
            await self._more()
            self._check()

    async def _more(self) -> None:
        if self._waiter is not None:
            raise RuntimeError(_INCOMPLETE)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _joined(self) -> None:
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]

    def _taken(self, n: int) -> bytes:
        if not self._held:
            return b""
        self._joined()
        whole = self._chunks[0]
        found, rest = (whole, b"") if n >= len(whole) else (whole[:n], whole[n:])
        self._chunks = [rest] if rest else []
        self._held = len(rest)
        read = self.total_bytes - self._held
        while self._splits and self._splits[0] < read:
            self._splits.popleft()
        if self._held <= MOST_AHEAD:
            self._go_on()
        return found

    def _go_on(self) -> None:
        if self._is_full:
            self._is_full = False
            self._on_read()

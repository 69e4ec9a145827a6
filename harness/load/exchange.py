"""One request of a scenario: as the scenario holds it, and as the book is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

from harness.load.book import Book, Step
from harness.load.request import REDIRECTS
from harness.load.response import Response

T = TypeVar("T")
Leave = Callable[[Any, BaseException | None], Awaitable[None] | None]


class Exchange(Coroutine[Any, Any, T]):
    """What a verb returns: awaitable, a coroutine for `create_task`, and a context manager."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], leave: Leave) -> None:
        self._coroutine = coroutine
        self._leave = leave

    def send(self, value: Any) -> Any:
        """Be a coroutine."""
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Be a coroutine."""
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """Be a coroutine."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> T:
        self._entered = await self._coroutine
        return self._entered

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leaving = self._leave(self._entered, error)
        if leaving is not None:
            await leaving


class Account:
    """Takes down in the book what comes of one request, which `follows` redirects."""

    __slots__ = ("_book", "_follows", "_held", "_step")

    def __init__(self, book: Book, step: Step, *, follows: bool) -> None:
        self._book = book
        self._step = step
        self._follows = follows
        self._held: tuple[int, int] | None = None

    def asked(self, response: Response) -> None:
        """Know what waits for the answer."""
        self._step.response = response

    def begun(self, status: int) -> None:
        """Know its status."""
        self._book.answered(self._step, status)

    def ended(self, bytes_in: int) -> None:
        """Know that its last byte has come."""
        if self._follows and self._step.status in REDIRECTS:
            self._held = bytes_in, self._book.now()  # there may be more to come
        else:
            self._book.done(self._step, bytes_in)

    def broke(self, error: Exception, bytes_in: int) -> None:
        """Know that its body broke off."""
        self._book.failed(self._step, error, bytes_in)

    def settle(self) -> None:
        """Know that no other request follows."""
        if self._held is not None:
            self._book.done(self._step, *self._held)

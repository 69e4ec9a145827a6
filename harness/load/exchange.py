"""One request of a scenario, as the scenario holds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
Leave = Callable[[Any, BaseException | None], Awaitable[None] | None]


class Exchange(Coroutine[Any, Any, T]):
    """What a verb returns: awaitable, a coroutine for `create_task`, and a context manager."""

    __slots__ = ("_coroutine", "_entered", "_leave")

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

"""Between threads and event loops: who waits for whom."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def aside(loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> T:
    """Call a function in a thread of its own while `loop` turns in this one.

    It sees this thread's context variables, and what it sets is seen here. Ctrl-C ends the
    waiting; the thread, which nothing can end, does not keep the process alive.
    """
    context = contextvars.copy_context()
    over = loop.create_future()
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def work() -> None:
        try:
            outcome.set_result(context.run(function))
        except BaseException as error:
            outcome.set_exception(error)
        with contextlib.suppress(RuntimeError):  # nobody waited, and the loop is closed
            loop.call_soon_threadsafe(_set, over)

    thread = threading.Thread(target=work, name="harness-test", daemon=True)
    loop.call_soon(thread.start)  # once the loop turns
    loop.run_until_complete(over)
    for variable, value in context.items():
        if variable.get(None) is not value:
            variable.set(value)
    return outcome.result()


async def beside(function: Callable[[], T]) -> T:
    """Call a function in a thread of its own while the loop turns in this one.

    It sees this thread's context variables. Where the waiting is cancelled, the thread goes on
    and does not keep the process alive.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()  # so that nobody's leaving makes it refuse its result
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome.set_result(context.run(function))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=work, name="harness-beside", daemon=True).start()
    return await asyncio.wrap_future(outcome)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def result_of(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on `loop` and wait: from another thread, or from where no loop runs.

    Raises RuntimeError in a coroutine, which must not wait.
    """
    if asyncio._get_running_loop() is not None:
        coroutine.close()
        raise RuntimeError("this would block the running event loop")
    if loop.is_running():
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    return loop.run_until_complete(coroutine)


@types.coroutine
def within(
    context: contextvars.Context, coroutine: Coroutine[Any, Any, T]
) -> Generator[Any, Any, T]:
    """Await a coroutine whose context variables are those of `context`, and not the caller's.

    A task of its own would do the same, and take a turn of the loop to begin and one to end.
    """
    step: Callable[[Any], Any] = coroutine.send
    value: Any = None
    while True:
        try:
            awaited = context.run(step, value)
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            step, value = coroutine.send, (yield awaited)
        except BaseException as error:
            step, value = coroutine.throw, error


def across(
    loop: asyncio.AbstractEventLoop, function: Callable[P, Awaitable[T]]
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return an async function that runs `function` on `loop`, which turns in another thread."""

    async def there(*args: P.args, **kwargs: P.kwargs) -> T:
        return await function(*args, **kwargs)

    async def here(*args: P.args, **kwargs: P.kwargs) -> T:
        started = asyncio.run_coroutine_threadsafe(there(*args, **kwargs), loop)
        return await asyncio.wrap_future(started)

    return here

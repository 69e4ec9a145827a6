"""The lifespan of an application, watched while whoever serves it runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

from harness.targets import Asgi, Message, Receive, Scope, Send


class Stage(Enum):
    """Where a lifespan (ASGI Lifespan Protocol 2.0) is."""

    STARTING = "its start-up"
    RUNNING = "its run"
    STOPPING = "its shut-down"
    OVER = "its end"


class Lifespan:
    """An ASGI application that passes everything on to `app` and keeps what its lifespan says.

    `failure` is why it did not start, `trouble` what went wrong after it had: empty, nothing.
    `on_stage` is called when a stage begins.
    """

    def __init__(self, app: Asgi, on_stage: Callable[[Stage], None] = lambda stage: None) -> None:
        self.stage = Stage.STARTING
        self.failure = ""
        self.trouble = ""
        self.task: asyncio.Task[object] | None = None
        self._app = app
        self._on_stage = on_stage

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Be the application."""
        if scope["type"] == "lifespan":
            return self._live(scope, receive, send)
        return self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._enter(Stage.STOPPING)
            return message

        async def sending(message: Message) -> None:
            self._note(message)
            await send(message)

        self.task = asyncio.current_task()
        try:
            await self._app(scope, receiving, sending)
        except (Exception, SystemExit) as error:
            said = f"{type(error).__name__}: {error}"
            if self.stage in (Stage.RUNNING, Stage.STOPPING):
                self.trouble = said
            elif self.stage is Stage.STARTING and isinstance(error, SystemExit):
                self.failure = said  # any other: it knows no lifespan, and servers go on
            raise
        finally:
            self._enter(Stage.OVER)

    def _note(self, message: Message) -> None:
        said = message.get("message") or "it gave no reason"
        match message["type"]:
            case "lifespan.startup.complete":
                self._enter(Stage.RUNNING)
            case "lifespan.startup.failed":
                self.failure = said
                self._enter(Stage.OVER)
            case "lifespan.shutdown.failed":
                self.trouble = said
                self._enter(Stage.OVER)
            case "lifespan.shutdown.complete":
                self._enter(Stage.OVER)

    def _enter(self, stage: Stage) -> None:
        if self.stage is not stage:
            self.stage = stage
            self._on_stage(stage)

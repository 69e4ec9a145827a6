"""What never comes back: each ends after its time, and the message has the project's own line."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from quart import Quart

from harness.errors import TargetError
from harness.target import AppPath
from harness.targets.app import load_app
from harness.targets.hang import Limits
from harness.targets.inproc import Inproc
from harness.targets.served import Served

HERE = Path(__file__).parent
TARGETS = pytest.mark.parametrize("target", [Inproc, Served])
SOON = Limits(start_s=0.3, stop_s=0.3, root=HERE)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], AppPath]]:
    """A module of its own for each test, forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def written(source: str) -> AppPath:
        (tmp_path / "hangs.py").write_text(source)
        return AppPath("hangs", "app", is_factory=False)

    yield written
    sys.modules.pop("hangs", None)


SERVING = '''"""Serves when it is imported."""
import asyncio
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart

app = Quart("shop")
config = Config()
config.bind = ["127.0.0.1:0"]
'''


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("while True:\n    pass", "hangs.py:"),
        ("import time\n\ntime.sleep(1e9)", "hangs.py:3"),
        ("import threading\n\nthreading.Lock().acquire()\nthreading.Event().wait()", "hangs.py:4"),
        ("import asyncio\n\nasync def main():\n    await asyncio.Event().wait()\n\n"
         "asyncio.run(main())", "hangs.py:4"),
        ("import time\n\n\ntry:\n    time.sleep(1e9)\nexcept BaseException:\n    app = 1",
         "hangs.py:5"),
        ("import time\n\nwhile True:\n    try:\n        time.sleep(1e9)\n        break\n"
         "    except BaseException:\n        time.sleep(0.15)", "hangs.py:5"),
    ],
)  # fmt: skip
def test_an_import_that_never_ends_is_ended_and_named(
    module: Callable[[str], AppPath], tmp_path: Path, source: str, line: str
) -> None:
    path = module(source)

    with pytest.raises(TargetError) as caught:
        load_app(path, Limits(start_s=0.3, root=tmp_path))

    assert caught.value.slug == "target/hung"
    assert caught.value.message == "the import of hangs:app had not ended after 0.3 s"
    assert caught.value.where.startswith(line)
    assert "start_within" in caught.value.next_step
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("call", "server"),
    [
        ("asyncio.run(serve(app, config))", "hypercorn."),
        ("from aiohttp import web\nweb.run_app(web.Application(), host='127.0.0.1', port=0,"
         " print=None)", "run_app()"),
        ("from socketserver import TCPServer, BaseRequestHandler\n"
         "TCPServer(('127.0.0.1', 0), BaseRequestHandler).serve_forever()", "serve_forever()"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:unclosed")  # what was serving was ended in the middle
def test_an_import_that_serves_is_told_where_that_belongs(
    module: Callable[[str], AppPath], tmp_path: Path, call: str, server: str
) -> None:
    path = module(SERVING + call)

    with pytest.raises(TargetError) as caught:
        load_app(path, Limits(start_s=0.5, root=tmp_path))

    assert "it serves, by" in caught.value.message
    assert server in caught.value.message
    assert caught.value.where.startswith("hangs.py:1")
    assert "if __name__" in caught.value.next_step
    del caught
    gc.collect()  # what was serving is closed here, and not within another test


def test_a_factory_that_never_ends_is_named(
    module: Callable[[str], AppPath], tmp_path: Path
) -> None:
    module("import time\n\ndef app():\n    time.sleep(1e9)")

    with pytest.raises(TargetError) as caught:
        load_app(AppPath("hangs", "app", is_factory=True), Limits(start_s=0.3, root=tmp_path))

    assert caught.value.where == "hangs.py:4"


def test_an_import_may_run_a_loop_of_its_own(
    module: Callable[[str], AppPath], tmp_path: Path
) -> None:
    path = module(
        "import asyncio\nfrom quart import Quart\n"
        "asyncio.run(asyncio.sleep(0.05))\napp = Quart('a')"
    )

    assert isinstance(load_app(path, Limits(start_s=10, root=tmp_path)), Quart)


def test_a_timer_of_somebody_elses_goes_on(
    module: Callable[[str], AppPath], tmp_path: Path
) -> None:
    heard: list[int] = []

    def ring(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        load_app(module("from quart import Quart\napp = Quart('a')"), Limits(root=tmp_path))
        assert signal.getsignal(signal.SIGALRM) is ring
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.5
        signal.pause()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert heard == [signal.SIGALRM]


def test_in_another_thread_an_import_is_not_timed(
    module: Callable[[str], AppPath], tmp_path: Path
) -> None:
    found: list[object] = []
    path = module("from quart import Quart\napp = Quart('a')")
    thread = threading.Thread(target=lambda: found.append(load_app(path, Limits(root=tmp_path))))
    thread.start()
    thread.join()

    assert isinstance(found[0], Quart)


def application(start: Callable[[], object], stop: Callable[[], object] = lambda: None) -> Quart:
    app = Quart(__name__)

    @app.before_serving
    async def starting() -> None:
        found = start()
        if found is not None:
            await found  # type: ignore[misc]  # a coroutine

    @app.after_serving
    async def stopping() -> None:
        found = stop()
        if found is not None:
            await found  # type: ignore[misc]  # a coroutine

    return app


def own_line(text: str) -> str:
    lines = Path(__file__).read_text().splitlines()
    return f"test_hang.py:{next(n for n, line in enumerate(lines, 1) if text in line)}"


def blocks() -> None:
    time.sleep(2)  # blocks


async def waits() -> None:
    await asyncio.Event().wait()  # waits


@TARGETS
@pytest.mark.parametrize(("start", "line"), [(blocks, "# blocks"), (waits, "# waits")])
async def test_a_start_up_that_never_ends_is_named(
    target: type[Inproc] | type[Served], start: Callable[[], object], line: str
) -> None:
    with pytest.raises(TargetError) as caught:
        await target(application(start), "shop", limits=SOON).__aenter__()

    assert caught.value.slug == "target/hung"
    assert caught.value.message == "the start-up of the service shop had not ended after 0.3 s"
    assert caught.value.where == own_line(line)


@TARGETS
async def test_a_start_up_that_hangs_in_a_generator_is_named(
    target: type[Inproc] | type[Served],
) -> None:
    app = Quart(__name__)

    @app.while_serving
    async def life():  # type: ignore[no-untyped-def]
        await waits()
        yield

    with pytest.raises(TargetError) as caught:
        await target(app, "shop", limits=SOON).__aenter__()

    assert caught.value.where == own_line("# waits")


@TARGETS
async def test_a_start_up_that_hangs_on_another_thread_is_named(
    target: type[Inproc] | type[Served],
) -> None:
    app = Quart(__name__)
    app.before_serving(blocks)

    with pytest.raises(TargetError) as caught:
        await target(app, "shop", limits=SOON).__aenter__()

    assert caught.value.where == own_line("# blocks")


def fails() -> None:
    raise OSError("no disk")


@TARGETS
@pytest.mark.parametrize(
    ("stop", "said", "where"),
    [
        (fails, "no disk", "shop"),
        (blocks, "had not ended after 0.3 s", "# blocks"),
        (waits, "had not ended after 0.3 s", "# waits"),
    ],
)
async def test_a_shut_down_that_fails_is_kept_and_raises_nothing(
    target: type[Inproc] | type[Served], stop: Callable[[], object], said: str, where: str
) -> None:
    service = target(application(lambda: None, stop), "shop", limits=SOON)

    async with service:
        assert service.trouble is None

    assert service.trouble is not None
    assert service.trouble.slug == "target/shut-down"
    assert said in service.trouble.message
    assert service.trouble.where == (own_line(where) if where.startswith("#") else where)


@TARGETS
async def test_an_application_of_no_framework_that_fails_at_its_end_is_noticed(
    target: type[Inproc] | type[Served],
) -> None:
    async def app(
        scope: object, receive: Callable[..., object], send: Callable[..., object]
    ) -> None:
        await receive()  # type: ignore[misc]  # ASGI
        await send({"type": "lifespan.startup.complete"})  # type: ignore[misc]  # ASGI
        await receive()  # type: ignore[misc]  # ASGI
        raise OSError("no disk")

    service = target(app, "shop", limits=SOON)  # type: ignore[arg-type]  # ASGI

    async with service:
        pass

    assert service.trouble is not None
    assert "no disk" in service.trouble.message


@TARGETS
async def test_a_shut_down_that_ends_well_is_no_trouble(
    target: type[Inproc] | type[Served],
) -> None:
    service = target(application(lambda: None), "shop")

    async with service:
        pass

    assert service.trouble is None

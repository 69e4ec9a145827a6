"""Makes aioresponses work on the aiohttp that is installed, where as published it does not.

aioresponses builds aiohttp's responses by hand. On aiohttp 3.14 those lack an argument, which
fails every request, and their stream cannot be paused, which fails every body above 128 KiB.
Whether that is so is tried, not told from versions: what works is left alone, and so is what
this cannot mend.

Tried on Python 3.11 and 3.13: aioresponses 0.7.9 with aiohttp 3.12.15 and 3.13.5 (left alone),
3.14.0 and 3.14.5 (repaired).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiohttp import ClientResponse, StreamReader
from aiohttp.client_proto import ResponseHandler
from aioresponses import core
from yarl import URL

_STREAM_LIMIT = 2**16  # aioresponses' own
_MORE_THAN_IS_BUFFERED = bytes(4 * _STREAM_LIMIT)


@contextlib.contextmanager
def repaired() -> Iterator[None]:
    """Repair aioresponses meanwhile, if it needs that and this does it."""
    if _works():
        yield
        return
    with contextlib.ExitStack() as repair:
        with contextlib.suppress(AttributeError):  # a version that is made otherwise
            build = _with_all_arguments(core.RequestMatch._build_response)
            repair.enter_context(patch.object(core.RequestMatch, "_build_response", build))
            repair.enter_context(patch.object(core, "stream_reader_factory", _stream))
        if not _works():
            repair.close()
        yield


def _works() -> bool:
    """Tell whether a response can be made, and its body read."""
    url = URL("http://127.0.0.1/")
    try:
        made = core.RequestMatch(url)._build_response(url, body=_MORE_THAN_IS_BUFFERED)
        return bool(made.content.read_nowait() == _MORE_THAN_IS_BUFFERED)
    except Exception:  # of a version that is not known yet, anything
        return False


def _with_all_arguments(build: Any) -> Any:
    """Add what aiohttp 3.14 asks for, of a response class of the test's own as well."""

    @functools.wraps(build)
    def complete(
        match: Any, *arguments: Any, response_class: type[ClientResponse] | None = None, **rest: Any
    ) -> Any:
        sent: Any = SimpleNamespace(output_size=0)
        made = functools.partial(response_class or ClientResponse, stream_writer=sent)
        return build(match, *arguments, response_class=made, **rest)

    return complete


class _NoFlow(ResponseHandler):
    """A protocol with no transport behind it: the whole body is there at once."""

    def pause_reading(self) -> None:
        pass

    def resume_reading(self, *_: Any, **__: Any) -> None:
        pass


def _stream(loop: Any = None) -> StreamReader:
    return StreamReader(_NoFlow(loop=loop), limit=_STREAM_LIMIT, loop=loop)

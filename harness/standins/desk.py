"""Where other processes ask running stand-ins over HTTP: what they were asked, and to select.

It is a stand-in itself, on a thread and a port of its own, so a question waits for no answer
of the others. All in the group that it speaks for is bounded, and so is what it tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.standins.group import StandIns
from harness.standins.ledger import Asked, Entry
from harness.standins.server import StandIn
from harness.stub import Call
from harness.stubfile import read_stub

JOURNAL = "/__harness__/journal"
STUBS = "/__harness__/stubs"


def desk(name: str, group: StandIns, first: Sequence[str], *, port: int = 0) -> StandIn:
    """Return a stand-in, not started, that answers about a group.

    ``GET`` of the journal tells what was asked since the selection, ``DELETE`` starts it anew;
    ``PUT`` of a list of names selects these stubs, and of an empty one those of `first`.
    """

    def tell(_: Call) -> dict[str, Any]:
        return {"json": {standin.name: _told(standin) for standin in group}}

    def restart(_: Call) -> dict[str, Any]:
        group.restart()
        return {"status": 204}

    def select(call: Call) -> dict[str, Any]:
        try:
            names = msgspec.json.decode(call.body, type=list[str])
            group.select(names or first)
        except (msgspec.DecodeError, UnicodeDecodeError):
            wanted = 'send a JSON list of names: ["weather.down"]; [] for those of the start'
            return {"status": 400, "text": f"this is no list of names\n  next: {wanted}\n"}
        except UsageError as error:
            return {"status": 404, "text": f"{error}\n"}
        return {"json": {standin.name: standin.selected for standin in group}}

    made = StandIn(name, [], port=port)
    made.declare(read_stub(__name__, "GET", JOURNAL, reply=tell))
    made.declare(read_stub(__name__, "DELETE", JOURNAL, reply=restart))
    made.declare(read_stub(__name__, "PUT", STUBS, reply=select))
    return made


def _told(standin: StandIn) -> dict[str, Any]:
    """Return what a stand-in was asked, and each of its stubs."""
    unmatched, reasons = standin.told()
    stubs = {f"{standin.name}.{name}": _figures(standin.asked(name)) for name in standin.stubs}
    return {
        **_figures(standin.asked()),
        "unmatched": unmatched,
        "reasons": reasons,
        "unused": [f"{standin.name}.{name}" for name in standin.unused()],
        "calls": [_shown(standin.name, entry) for entry in standin.entries()],
        "stubs": stubs,
    }


def _figures(asked: Asked) -> dict[str, int]:
    return {"count": asked.count, "at_once": asked.at_once, "connections": asked.connections}


def _shown(standin: str, entry: Entry) -> dict[str, Any]:
    call = entry.call
    return {
        "number": entry.number, "stub": f"{standin}.{entry.stub}" if entry.stub else None,
        "method": call.method, "path": call.path, "query": call.query, "headers": call.headers,
        "body": call.body.decode("utf-8", "replace"),
    }  # fmt: skip

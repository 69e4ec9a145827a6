"""The requests of stubs, sent to the provider's own application in process, the answers compared.

The provider runs in a process of its own, with a time limit. This file is both sides:
``python -m harness.replay JOB`` is such a process.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from harness import leash
from harness.bench import Bench
from harness.contract import is_json
from harness.errors import HarnessError, TargetError
from harness.evidence import problem
from harness.facts import Problem
from harness.manifest import parse_plan
from harness.matcher import examples_of, has_pattern
from harness.plan import Plan
from harness.reply import Reply
from harness.shape import Shape
from harness.standins.group import stubs_of
from harness.stub import Request, Stub
from harness.target import Target, TargetKind
from harness.targets.client import Client
from harness.targets.exchange import Exchanges

LIMIT_S = 120.0
"""How long a provider may take to start and to answer all that is replayed."""


class Replayed(msgspec.Struct, frozen=True):
    """What came of one stub: where the provider's answer is another, or why it was not asked."""

    stub: str
    where: str
    differences: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    skipped: str = ""


class _Job(msgspec.Struct, frozen=True):
    plan: str
    standin: str
    descriptor: int


def replayed(plan_file: Path, standin: str) -> list[Replayed]:
    """Replay the stubs of a stand-in of a plan in the folder that we are in.

    Raises TargetError, and what starting the provider raises.
    """
    with (
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryDirectory(prefix="harness-replay-") as scratch,
    ):
        job = msgspec.json.encode(_Job(str(plan_file), standin, answer.fileno())).decode()
        argv = [sys.executable, "-m", "harness.replay", job]
        child = leash.Child(
            argv, env={**os.environ, "TMPDIR": scratch}, cwd=Path.cwd(), output=output,
            pass_fds=(answer.fileno(),),
        )  # fmt: skip
        try:
            code = child.wait(LIMIT_S)
        finally:
            child.stop(0)
        answer.seek(0)
        output.seek(0)
        said = output.read().decode(errors="replace").strip().rpartition("\n")[2]
        told = answer.read()
    if not told:
        why = "had not ended in time" if code is None else f"ended with code {code}: {said}"
        raise TargetError(
            "standins/not-replayed", f"the replay {why}", where=standin,
            next_step="harness doctor",
        )  # fmt: skip
    found: Problem | list[Replayed] = msgspec.json.decode(told, type=Problem | list[Replayed])
    if isinstance(found, Problem):
        error = TargetError(found.slug, found.message, where=found.where, next_step=found.next_step)
        error.exit_code = found.exit_code
        raise error
    return found


def why_not(stub: Stub) -> str:
    """Say why a stub cannot be replayed; empty: it can."""
    if stub.contradicts:
        return f"it is to be wrong: {stub.contradicts}"
    if stub.request.path is None:
        return "its path is open: write it out, as 'path'"
    if len(stub.replies) > 1:
        return "it has several replies"
    if stub.replies[0].fault:
        return "its reply breaks"
    if stub.replies[0].status >= 500 and not stub.given:
        return "its reply is an error of the provider's: say how to get it, by 'given'"
    wanted = [stub.request.query, stub.request.headers, stub.request.form or {}]
    wanted += [getattr(stub.request, key) for key in stub.request.bodies if "json" in key]
    return "it wants a pattern, which is no example" if any(map(has_pattern, wanted)) else ""


def _texts(wanted: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names with their texts, an example in the place of each matcher."""
    return [
        (name, one if isinstance(one, str) else json.dumps(examples_of(one)[0]).strip('"'))
        for name, value in wanted.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def _sent(request: Request) -> dict[str, Any]:
    """Return a request as arguments of Quart's test client."""
    sent: dict[str, Any] = {"method": request.method, "headers": dict(_texts(request.headers))}
    if request.query:
        sent["query_string"] = _texts(request.query)
    for key in request.bodies:
        if key == "form":
            sent["form"] = dict(_texts(request.form or {}))
        elif key == "body":
            sent["data"] = request.body
        else:
            sent["json"] = examples_of(getattr(request, key))[0]
    return sent


def _compared(reply: Reply, status: int, kind: str, body: bytes) -> Iterator[tuple[str, bool]]:
    """Yield in what an answer is not what a stub says, and whether it is only more than that."""
    if status != reply.status:
        yield f"/status: expected {reply.status}, found {status}", False
        return
    headers, own = reply.content()
    wanted = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    wanted, kind = (one.partition(";")[0].strip().lower() for one in (wanted, kind))
    if wanted != kind and (own or body):
        told = f"expected {wanted or 'no body'}, found {kind or 'no body'}"
        yield f"/headers/Content-Type: {told}", False
    elif is_json(wanted) and own:
        expected, found = (Shape.of(json.loads(one)) for one in (own, body))
        for one in expected.differences(found):
            yield f"/json{one.at}: {one.told}", one.is_extra


async def _given(stub: Stub, client: Client) -> dict[str, str]:
    """Prepare the provider, and return the headers that this gives."""
    if not stub.given:
        return {}
    module, _, name = stub.given.partition(":")
    return dict(await getattr(importlib.import_module(module), name)(client) or {})


async def _one(stub: Stub, client: Client) -> Replayed:
    if why := why_not(stub):
        return Replayed(stub.name, stub.where, skipped=why)
    try:
        sent = _sent(stub.request)
        sent["headers"] |= await _given(stub, client)
        answer = await client.open(quote(stub.request.path or ""), **sent)
        body = await answer.get_data(as_text=False)
        kind = answer.headers.get("Content-Type", "")
        found = list(_compared(stub.replies[0], answer.status_code, kind, body))
    except Exception as error:  # the provider's, or that of what prepares it
        told = f"nothing to compare: {type(error).__name__}: {error}"
        return Replayed(stub.name, stub.where, (told,))
    return Replayed(
        stub.name, stub.where,
        tuple(told for told, is_extra in found if not is_extra),
        tuple(told for told, is_extra in found if is_extra),
    )  # fmt: skip


def _all(plan: Plan, standin: str) -> list[Replayed]:
    planned = next(one for one in plan.standins if one.name == standin)
    stubs = stubs_of(planned, Path.cwd())
    bench = Bench(plan, Path.cwd(), Target(TargetKind.INPROC))
    try:
        services = bench.services(planned.provider)
        return asyncio.run(_with(bench, services, stubs))
    finally:
        bench.close()


async def _with(bench: Bench, services: Sequence[Any], stubs: Sequence[Stub]) -> list[Replayed]:
    async with AsyncExitStack() as running:
        running.enter_context(bench.around())
        for service in services:
            with bench.starting(service):
                await running.enter_async_context(service)
        return [await _one(stub, Client(services[-1], Exchanges())) for stub in stubs]


def main(encoded: str) -> int:
    """Be the child: start the provider, ask it, write down what came, and end."""
    leash.hold()
    job = msgspec.json.decode(encoded, type=_Job)
    found: list[Replayed] | Problem
    try:
        plan = parse_plan(Path(job.plan).read_text(encoding="utf-8"), job.plan)
        found = _all(plan, job.standin)
    except HarnessError as error:
        found = problem(error)
    os.write(job.descriptor, msgspec.json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

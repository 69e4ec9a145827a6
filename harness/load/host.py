"""The host process of a load: imports the scenario file once and forks the generators.

It forks before it has a loop or a thread, as Molotov does, so that every generator inherits
what the import and `global_setup` made. ``python -m harness.load.host JOB`` runs one.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else the first connection imports it, while it is timed
import gc
import os
import signal
import sys
import time
import traceback
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import msgspec
import uvloop

from harness import leash
from harness.errors import HarnessError, UsageError
from harness.evidence import Part, problem
from harness.guard import Guard, OnRefused, once
from harness.load.address import outside_call
from harness.load.aloud import print_exchange
from harness.load.board import Board, Stop
from harness.load.book import Book
from harness.load.generator import Generator
from harness.load.job import Job
from harness.load.molotov import Scenarios, load
from harness.load.rehearsal import Rehearsal
from harness.load.repeat import scenarios_of
from harness.scenarios import PROCESS
from harness.tally import WARM_UP

START_MARGIN_S = 0.05
"""From when every generator is ready to the start of the load."""

INTERRUPTED = 130
_CRASHED = 70  # EX_SOFTWARE
_POLL_S = 0.02


def main(encoded: str) -> int:
    """Run a load and return an exit code; what happened is in the run folder."""
    job = msgspec.json.decode(encoded, type=Job)
    keep_leash()
    try:
        with Part(Path(job.folder), f"load-{job.name}.host") as part:
            _host(job, part)
    except HarnessError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the load's log
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def keep_leash() -> None:
    """Leave the leash to a process of its own: holding it takes a thread, and we are to fork."""
    if leash.VARIABLE not in os.environ:
        return
    if os.fork():
        del os.environ[leash.VARIABLE]
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its own, sent to the group; the kill follows
    leash.hold()
    while True:
        signal.pause()


def _host(job: Job, part: Part) -> None:
    arguments = job.arguments()
    with Guard(_noting(part, job), job.allow_hosts):
        os.environ["HARNESS_TARGET"] = job.target
        scenarios = _scenarios(job)
        if job.single is not None:
            scenarios = scenarios.only(job.single)
        if job.warm_up_s:
            _refuse_lookalikes(scenarios, job)
        if job.verbose > 1:
            scenarios = replace(scenarios, listeners=(*scenarios.listeners, print_exchange))
        scenarios.begin(arguments)
        board = Board(job.processes)
        try:
            _generators(job, part, scenarios, arguments, board)
        finally:
            if job.processes > 1 or not board.has_finished(0):
                scenarios.end()


def _refuse_lookalikes(scenarios: Scenarios, job: Job) -> None:
    """Refuse a scenario whose name is one that the visits of a warm-up are counted under."""
    for scenario in scenarios.each:
        if scenario.name.endswith(WARM_UP):
            raise UsageError(
                "load/warm-up",
                f"{scenario.name!r} is named as if it were a part of the warm-up",
                where=job.scenarios,
                next_step="give the scenario another name, or leave out the warm-up",
            )


def _scenarios(job: Job) -> Scenarios:
    if job.repeated is not None:
        return scenarios_of(job.repeated, Path(job.root))
    return load(job.scenarios, Path(job.root), job.addresses, job.extensions)


def _noting(part: Part, job: Job) -> OnRefused:
    def refused(host: str, port: int | None) -> None:
        part.note(outside_call(host, port, job.scenarios))

    return once(refused)


def _generators(
    job: Job, part: Part, scenarios: Scenarios, arguments: Namespace, board: Board
) -> None:
    """Fork the generators, start them together and wait for all of them."""
    heard: list[int] = []

    def told(number: int, frame: object) -> None:
        urgent = heard or number == signal.SIGTERM
        board.stop(Stop.CANCEL if urgent else Stop.DRAIN)
        heard.append(number)

    signal.signal(signal.SIGINT, told)
    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGUSR1, lambda number, frame: board.stop(Stop.DRAIN))  # all is decided
    gc.freeze()  # what exists is shared by all of them: collecting it would copy it
    left = {_forked(job, k, scenarios, arguments, board): k for k in range(job.processes)}
    while left:
        for pid, process in list(left.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del left[pid]
                code = os.waitstatus_to_exitcode(status)
                if code or not board.has_finished(process):
                    part.note(problem(_died(job, process, code)))
                    board.stop(Stop.DRAIN)
        if board.start_ns is None and board.all_ready:
            board.start(time.monotonic_ns() + int(START_MARGIN_S * 1_000_000_000))
        time.sleep(_POLL_S)
    if heard:
        part.note(problem(_interrupted(job, signal.Signals(heard[0]))))


def _interrupted(job: Job, heard: signal.Signals) -> HarnessError:
    return HarnessError(
        "load/interrupted",
        f"the load was told to end before its time, by {heard.name}",
        where=f"load-{job.name}",
        next_step="run it again; what it had counted until then is in the record",
    )


def _died(job: Job, process: int, code: int) -> HarnessError:
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    if not code:
        how = "was ended by what it executed, without an error"
    return HarnessError(
        "load/worker-died",
        f"generator process {process} {how}; what it had counted until then is in the record",
        where=f"logs/load-{job.name}.log",
        next_step="read that log; out of memory and a scenario that ends its process are common",
    )


def _forked(
    job: Job, process: int, scenarios: Scenarios, arguments: Namespace, board: Board
) -> int:
    """Fork a generator and return its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    code = _CRASHED
    try:
        _generate(job, process, scenarios, arguments, board)
        code = 0
    except BaseException:  # nothing of the host's may run here any more
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _generate(
    job: Job, process: int, scenarios: Scenarios, arguments: Namespace, board: Board
) -> None:
    """Be a generator. Its host hears the signals and tells it by the board."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ[PROCESS] = f"{process}/{job.processes}"
    gc.set_threshold(10_000, 20, 20)  # requests leave hardly any cycles behind
    book = Book(
        process, scenarios.places, board,
        stop_at_failure=job.stop_at_failure, verbose=job.verbose > 0,
    )  # fmt: skip
    with Part(Path(job.folder), f"load-{job.name}.{process}") as part:
        with Guard(book.outside, job.allow_hosts):
            generator = Generator(
                job, process, scenarios, arguments, board=board, book=book, part=part
            )
            # Not asyncio.run(): at its end it waits for tasks, and a scenario's need not end.
            loop = uvloop.new_event_loop()
            if process == 0 and job.is_rehearsed:  # on the same loop: what it makes may be bound
                rehearsal = Rehearsal(job, scenarios, arguments, board=board, part=part)
                loop.run_until_complete(rehearsal.run())
            loop.run_until_complete(generator.run())
        if scenarios.told is not None and (fact := scenarios.told(process)):
            part.note(fact)
        if job.processes == 1:  # as in Molotov: there it finds what the visits left in memory
            with Guard(_noting(part, job), job.allow_hosts):
                scenarios.end()
    board.finished(process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""With real processes. Each holds the writing end of a pipe: its end is when the pipe closes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import leash
from harness.leash import Child

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
PATIENCE_S = 30.0

SLEEPER = "import time; print(flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
HELD = f"from harness.leash import hold; hold(); {SLEEPER}"


class Pipe:
    """The reading end tells whether anyone still holds the writing end."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def let_go(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def next(self) -> bytes:
        """Return what is written next, or nothing where the last writer has ended."""
        self.let_go()
        ready, _, _ = select.select([self.reading], [], [], PATIENCE_S)
        assert ready, "nothing was written, and nobody ended"
        return os.read(self.reading, 1)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.let_go()
    os.close(made.reading)


def start(code: str, pipe: Pipe) -> Child:
    """Start a child that writes to the pipe, and wait until it has written once."""
    with os.fdopen(os.dup(pipe.writing), "wb") as output:
        child = Child([sys.executable, "-c", code], env=ENV, cwd=ROOT, output=output)
    assert pipe.next() == b"\n"
    return child


def with_grandchild(code: str, then: str) -> str:
    return (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {code!r}], stdout=sys.stdout)\n"
        f"{then}"
    )


def parent_of(code: str) -> str:
    return (
        "import os, pathlib, sys, time\n"
        "from harness.leash import Child\n"
        f"argv = [sys.executable, '-c', {code!r}]\n"
        "Child(argv, env=dict(os.environ), cwd=pathlib.Path('.'), output=sys.stdout.buffer)\n"
        "time.sleep(600)"
    )


@pytest.mark.parametrize("grandchild", [False, True])
def test_a_child_ends_when_its_parent_is_killed(pipe: Pipe, grandchild: bool) -> None:
    code = with_grandchild(SLEEPER, HELD) if grandchild else HELD
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_of(code)], env=ENV, cwd=ROOT, stdout=pipe.writing
    )
    for _ in range(2 if grandchild else 1):
        assert pipe.next() == b"\n"
    parent.send_signal(signal.SIGKILL)
    assert parent.wait(PATIENCE_S) == -signal.SIGKILL
    assert pipe.next() == b""


def test_stop_ends_a_child(pipe: Pipe) -> None:
    child = start(SLEEPER, pipe)
    assert child.returncode is None
    assert child.wait(0.01) is None
    child.stop(PATIENCE_S)
    assert child.returncode == child.wait() == -signal.SIGTERM
    assert pipe.next() == b""


def test_stop_kills_a_child_that_will_not_end(pipe: Pipe) -> None:
    child = start(STUBBORN, pipe)
    child.stop(0.05)
    assert child.returncode == -signal.SIGKILL
    assert pipe.next() == b""


def test_stop_asks_with_the_signal_that_it_is_given(pipe: Pipe) -> None:
    child = start(STUBBORN, pipe)
    child.stop(PATIENCE_S, first=signal.SIGUSR1)
    assert child.returncode == -signal.SIGUSR1


@pytest.mark.parametrize("then", [SLEEPER, "print(flush=True)"])
def test_stop_kills_grandchildren(pipe: Pipe, then: str) -> None:
    child = start(with_grandchild(STUBBORN, then), pipe)
    assert pipe.next() == b"\n"
    child.stop(PATIENCE_S)
    assert pipe.next() == b""


def test_stop_twice_and_after_the_end(pipe: Pipe) -> None:
    child = start("print(flush=True); raise SystemExit(3)", pipe)
    assert child.wait(PATIENCE_S) == 3
    child.stop(PATIENCE_S)
    child.stop(PATIENCE_S)
    assert child.returncode == 3


def test_interrupt_is_a_ctrl_c(pipe: Pipe) -> None:
    # a shell that starts pytest in the background leaves SIGINT ignored, which is inherited
    code = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    {SLEEPER}
except KeyboardInterrupt:
    raise SystemExit(130)
"""
    child = start(code, pipe)
    child.interrupt()
    assert child.wait(PATIENCE_S) == 130
    child.interrupt()
    child.stop(0)


def test_a_child_leads_a_session_of_its_own(pipe: Pipe) -> None:
    child = start(SLEEPER, pipe)
    assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid
    child.stop(PATIENCE_S)


def test_a_child_that_cannot_start_leaves_nothing_open() -> None:
    before = os.listdir("/dev/fd")
    with pytest.raises(FileNotFoundError):
        Child(["/nonexistent"], env={}, cwd=ROOT)
    assert len(os.listdir("/dev/fd")) == len(before)


def test_without_a_leash_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(leash.VARIABLE, raising=False)
    before = threading.active_count()
    leash.hold()
    assert threading.active_count() == before


def test_a_scratch_folder_is_gone_at_the_end_whatever_is_raised() -> None:
    lent: list[Path] = []

    def use() -> None:
        with leash.scratch("harness-test-") as folder:
            (folder / "sub").mkdir()
            (folder / "sub/file").write_text("")
            lent.append(folder)
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        use()

    assert [folder.exists() for folder in lent] == [False]


def test_a_scratch_folder_is_gone_when_its_owner_is_killed(tmp_path: Path) -> None:
    code = (
        "import time\nfrom harness.leash import scratch\n"
        "with scratch('harness-test-') as folder:\n"
        "    print(folder, flush=True)\n    time.sleep(600)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code], env={**ENV, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    assert folder.is_dir()

    owner.kill()
    owner.communicate()

    deadline = time.monotonic() + PATIENCE_S
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""Child processes and scratch folders that never outlive their parent, however that ends.

Each child leads a session of its own and holds the reading end of a pipe. When the parent
dies, a kill -9 included, the pipe closes, and the child ends its whole process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

VARIABLE = "HARNESS_LEASH"
"""What tells a child the descriptor of its end of the pipe."""


class Child:
    """A process on a leash. Output goes to `output`, a file, or to ours where that is None."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        output: IO[bytes] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        reading, self._writing = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell, arguments are ours
                argv,
                env={**env, VARIABLE: str(reading)},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                pass_fds=(reading, *pass_fds),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._writing)
            raise
        finally:
            os.close(reading)
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; negative for a signal; None while the process runs."""
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end and return the exit code; None where the time ran out first."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def interrupt(self) -> None:
        """Send SIGINT, as Ctrl-C would."""
        self._signal(signal.SIGINT)

    def stop(self, grace_s: float, first: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end, give it `grace_s`, then kill whatever is left of its group."""
        if self.returncode is None:
            self._signal(first)
            self.wait(grace_s)
        self._signal(signal.SIGKILL, group=True)
        self._process.wait()
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def _signal(self, number: signal.Signals, *, group: bool = False) -> None:
        try:
            if group:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)
        except (ProcessLookupError, PermissionError):
            pass  # it is gone, or, on macOS, already a zombie


def hold() -> None:
    """In the child: end with the parent. Does nothing in a process that is on no leash."""
    handle = os.environ.pop(VARIABLE, None)
    if handle is not None:
        follow(int(handle))


def follow(handle: int) -> None:
    """End this process's group when the pipe behind `handle` closes."""
    threading.Thread(target=_follow, args=(handle,), name="harness-leash", daemon=True).start()


def _follow(handle: int) -> None:
    while os.read(handle, 1):
        pass
    # Not a request: what ends of its own accord now would record the ending of the others.
    os.killpg(0, signal.SIGKILL)


_SWEEP = """
read -r line
for again in 1 2 3 4 5; do
    rm -rf -- "$0" && exit 0
    sleep 0.2  # children of ours are being killed meanwhile, and may still be writing
done
"""


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """Lend a fresh folder, which is removed at the end: by a child, so after a kill -9, too."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with subprocess.Popen(  # noqa: S603 - fixed arguments
        ["/bin/sh", "-c", _SWEEP, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    ) as sweeper:  # its end closes the pipe, and waits
        try:
            yield folder
        finally:
            if sweeper.stdin is not None:
                sweeper.stdin.close()

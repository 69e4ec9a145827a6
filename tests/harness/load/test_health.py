from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.health import Checkup, InFlight, listening
from harness.snapshot import Machine, Vitals

TICK = os.sysconf("SC_CLK_TCK")


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.booleans())))
def test_visits_in_flight_add_up_to_their_durations(
    visits: list[tuple[int, int, bool]],
) -> None:
    counted, ends_ns = InFlight(), max((begin + took for begin, took, _ in visits), default=0)
    began = [(begin, 0, 0) for begin, _, _ in visits]
    ended = [(begin + took, 1, took if failed else 0) for begin, took, failed in visits]

    for at_ns, is_end, failed_ns in sorted(began + ended):
        (counted.ended if is_end else counted.began)(at_ns)
        counted.failed(failed_ns)

    flight = counted.flight(ends_ns)
    assert flight.visits_s == sum(took for _, took, _ in visits) / 1e9
    assert flight.failed_s == sum(took for _, took, failed in visits if failed) / 1e9


def test_a_visit_under_way_counts_until_now_and_the_most_is_of_the_time_since_the_last_look() -> (
    None
):
    counted = InFlight()
    for at_s in range(3):
        counted.began(at_s * 10**9)
    for _ in range(2):
        counted.ended(3 * 10**9)

    assert (counted.flight(4 * 10**9).visits_s, counted.flight(4 * 10**9).most) == (7.0, 1)
    counted.began(4 * 10**9)
    assert counted.flight(5 * 10**9).most == 2


def proc(folder: Path) -> Path:
    """Make a /proc as Linux has it, with process 7 listening at port 5000."""
    files = {
        "stat": "cpu  100 10 50 9000 40 5 5 30 60 0\ncpu0 1 2\ncpu1 3 4\nintr 5\n",
        "net/tcp": "  sl  local rem st\n"
        "   0: 0100007F:1388 00000000:0000 0A 0:0 0:0 0 1000 0 4711 1\n"
        "   1: 0100007F:1389 00000000:0000 0A 0:0 0:0 0 1000 0 4712 1\n"
        "   2: 0100007F:1388 0100007F:9999 01 0:0 0:0 0 1000 0 4713 1\n",
        "net/sockstat": "sockets: used 9\nTCP: inuse 5 orphan 0 tw 12 alloc 7\nUDP: inuse 1\n",
        "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "7/stat": f"7 (a name) with) S {'0 ' * 10}{3 * TICK} {TICK} 0 0\n",
        "7/task/7/schedstat": "4000000000 1000000000 9\n",
        "7/task/8/schedstat": "0 500000000 2\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for pid, inode in (("7", 4711), ("8", 4712), ("9", 4713), ("self", 1)):
        (folder / pid / "fd").mkdir(parents=True)
        (folder / pid / "fd" / "3").symlink_to(f"socket:[{inode}]")
    return folder


def test_what_the_system_tells_is_read(tmp_path: Path) -> None:
    checkup = Checkup(0, "http://127.0.0.1:5000", proc=proc(tmp_path))
    checkup.begin()
    (tmp_path / "stat").write_text(f"cpu  {100 + TICK} 10 50 9500 45 5 5 30 60 0\ncpu0\ncpu1\n")
    (tmp_path / "7/stat").write_text(f"7 (x) S {'0 ' * 10}{3 * TICK} {TICK + TICK // 2} 0\n")
    (tmp_path / "7/task/8/schedstat").write_text("0 2500000000 2\n")

    vitals = checkup.vitals()

    assert (vitals.waiting, vitals.ports, vitals.descriptors) == (12, 28_232, 0)
    assert vitals.machine == Machine(processors=2, busy_s=1.0, target_s=0.5, starved_s=2.0)


def test_only_those_who_listen_at_the_port_are_the_target(tmp_path: Path) -> None:
    assert listening(5000, proc(tmp_path)) == (7,)
    assert listening(5002, tmp_path) == ()


def test_a_target_that_is_gone_or_elsewhere_has_no_share(tmp_path: Path) -> None:
    gone = Checkup(0, "http://localhost:5000", proc=proc(tmp_path))
    elsewhere = Checkup(0, "http://192.0.2.1:5000", proc=tmp_path)
    gone.begin()
    elsewhere.begin()
    (tmp_path / "7/stat").unlink()

    for checkup in (gone, elsewhere):
        machine = checkup.vitals().machine
        assert machine is not None
        assert machine.target_s is None


def test_the_machine_is_looked_after_by_the_first_process_alone(tmp_path: Path) -> None:
    checkup = Checkup(1, "http://127.0.0.1:5000", proc=proc(tmp_path))
    checkup.begin()

    vitals = checkup.vitals()
    assert (vitals.machine, vitals.waiting, vitals.ports) == (None, None, None)
    assert vitals.descriptors == 0


def test_a_system_that_does_not_tell_is_not_guessed_at(tmp_path: Path) -> None:
    checkup = Checkup(0, "http://127.0.0.1:5000", proc=tmp_path)
    checkup.begin()
    vitals = checkup.vitals()

    assert vitals == Vitals(
        descriptors=vitals.descriptors, most_descriptors=vitals.most_descriptors
    )


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux alone tells")
def test_a_process_that_listens_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listening(listener.getsockname()[1]) == (os.getpid(),)

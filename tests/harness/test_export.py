from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.report import verb
from harness.errors import EvidenceError, UsageError
from harness.evidence import Facts, Identity, Part, RunFolder, environment
from harness.export import interval_log
from harness.facts import Begun, Fact, LoadBegun
from harness.histogram import Histogram
from harness.sample import FailureKind, Sample
from harness.snapshot import Health, HistogramFact, Snapshot, TallyFact
from harness.tally import Tallies
from tests.harness.test_hdr import decoded

MS = 1_000_000
BEGUN = LoadBegun(
    load="mix", scenarios="mix.py", target="http://127.0.0.1:1", pace="10/s for 2s",
    duration_s=2.0, processes=2, asked_rate=10.0, visits=20, objectives=(),
)  # fmt: skip


def began(at: str) -> Begun:
    return Begun(part="load-mix.0", at=at, python="3.11.7", pid=1)


def snapshot(process: int, number: int, *took_ms: int) -> Snapshot:
    tallies = Tallies()
    for took in took_ms:
        tallies.add(Sample("a read", "GET /", 0, 0, took * MS, status=200))
    tallies.add(Sample("a read", "GET /", 0, 0, 9_000 * MS, failure=FailureKind.TIMEOUT))
    lag = HistogramFact.of(Histogram())
    return Snapshot(
        process=process, number=number, at_s=number + process / 100, started=0, final=number == 2,
        tallies=[TallyFact.of(tally) for tally in tallies.taken()],
        health=Health(cpu_s=0, loop_lag=lag),
    )  # fmt: skip


def facts() -> Facts:
    zero: tuple[Fact, ...] = (
        began("2026-01-01T00:00:00.500+00:00"), snapshot(0, 1, 3), snapshot(0, 2, 5),
    )  # fmt: skip
    one: tuple[Fact, ...] = (
        began("2026-01-01T00:00:00.600+00:00"), snapshot(1, 1, 3, 4), snapshot(1, 2),
    )  # fmt: skip
    return Facts({"load-mix": (BEGUN,), "load-mix.0": zero, "load-mix.1": one, "gates": ()})


def test_an_interval_has_what_all_processes_counted_of_successes() -> None:
    lines = interval_log(facts()).splitlines()

    assert "#[StartTime: 1767225600.500 (seconds since epoch)" in "\n".join(lines)
    first, second = (line for line in lines if line.startswith("Tag="))
    assert first.startswith("Tag=mix:a_read:GET_/,0.000,1.010,4.000,HISTFAAA")
    assert second.startswith("Tag=mix:a_read:GET_/,1.010,1.000,5.000,HISTFAAA")
    assert sum(decoded(first.rsplit(",", 1)[1])[1].values()) == 3
    assert sum(decoded(second.rsplit(",", 1)[1])[1].values()) == 1


def test_a_run_without_a_load_has_no_interval_log() -> None:
    with pytest.raises(EvidenceError, match="no load was measured"):
        interval_log(Facts({"gates": ()}))


def test_the_log_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    identity = Identity(
        run_id="one", started_at="2026-01-01T00:00:00+00:00", asked=("load-mix",),
        environment=environment(tmp_path, ""), plan_source="",
    )  # fmt: skip
    folder = RunFolder.create(tmp_path, identity)
    for part, noted in facts().by_part.items():
        if part != "gates":
            with Part(folder.path, part) as file:
                file.note(*(fact for fact in noted if not isinstance(fact, Begun)))
    log = tmp_path / "load.hlog"

    verb.main([str(folder.path), "--hdr", str(log)], standalone_mode=False)

    assert log.read_text().count("Tag=mix:a_read:GET_/,") == 2
    with pytest.raises(UsageError, match="interval log"):
        verb.main([str(folder.path), "--hdr", str(tmp_path / "no" / "x")], standalone_mode=False)

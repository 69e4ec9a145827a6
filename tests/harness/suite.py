"""A folder with an application and tests, a pytest of its own there, and what it recorded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import facts as noted
from harness.evidence import Facts, functional_part
from harness.judge.functional import judge
from harness.verdict import Outcome, verdict
from tests.harness.project import clean

APP = """
from quart import Quart

app = Quart(__name__)


@app.get("/")
async def index():
    return {"hello": "world"}
"""

REACHING = """
async def test_index(client):
    assert (await client.get("/")).status_code == 200
"""

LOOP = ("-o", "asyncio_default_fixture_loop_scope=function")  # unset, pytest-asyncio warns
PART = functional_part("inproc")


class Suite:
    """A folder with an application and tests, and pytest run there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.evidence = root / "evidence"
        self.evidence.mkdir()
        self.write("app.py", APP)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def pytest(self, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", f"--rootdir={self.root}", *options],
            cwd=self.root, env=clean(), capture_output=True, check=False, timeout=60,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def recorded(self, *options: str, app: str = "app:app") -> tuple[noted.Fact, ...]:
        self.pytest(
            "--asyncio-mode=auto", f"--harness-folder={self.evidence}", f"--harness-app={app}",
            "-o", "asyncio_default_fixture_loop_scope=session",
            "-o", "asyncio_default_test_loop_scope=session", *options,
        )  # fmt: skip
        return Facts.read(self.evidence).part(PART) or ()

    def judged(self, *options: str, target: str = "inproc", app: str = "app:app") -> Judged:
        """Run in a target, a URL is one, and judge it with the processes below it."""
        live = target.startswith("http")
        kind = ["live", f"--harness-url=app={target}"] if live else [target]
        self.recorded("--harness-target", *kind, *options, app=app)
        part = functional_part("live" if live else target)
        facts = Facts.read(self.evidence)
        noted_here = facts.part(part) or ()
        judgement, rows = judge(part, noted_here, facts.below(part))
        tests = [
            fact for fact in (*noted_here, *facts.below(part)) if isinstance(fact, noted.Tested)
        ]
        return Judged(
            outcome=verdict(judgement.findings),
            slugs=sorted({finding.slug for finding in judgement.findings}),
            said="\n".join(finding.message for finding in judgement.findings),
            outcomes={test.nodeid.partition("::")[2]: test.outcome for test in tests},
            reached={test.nodeid.partition("::")[2]: test.exchanges for test in tests},
            not_checked={
                one.what.partition("::")[2] or one.what: one.why for one in judgement.not_checked
            },
            counted=sum(row.tests for row in rows),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run said. Tests go by their names, without their file's."""

    outcome: Outcome
    slugs: list[str]
    said: str
    outcomes: dict[str, str]
    reached: dict[str, int]
    not_checked: dict[str, str]
    counted: int


def outcome_of(facts: tuple[noted.Fact, ...]) -> Outcome:
    judgement, _ = judge(PART, facts)
    return verdict(judgement.findings)


def outcomes_in(facts: tuple[noted.Fact, ...]) -> dict[str, str]:
    tested = [fact for fact in facts if isinstance(fact, noted.Tested)]
    return {test.nodeid: test.outcome for test in tested}


def problems_in(facts: tuple[noted.Fact, ...]) -> list[noted.Problem]:
    return [fact for fact in facts if isinstance(fact, noted.Problem)]

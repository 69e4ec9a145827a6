"""What is wrong with a workflow for GitHub: where a check is green, and nothing was checked.

Read as text: nothing is asked of GitHub, and what an expression ``${{ … }}`` comes to is not
guessed. Only steps that run the harness, or a tox matrix that does, are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.command import Words, call, calls, lost, steps
from harness.trap import Trap

FOLDER = Path(".github/workflows")
_WHATEVER_HAPPENED = re.compile(r"always\(\)|!\s*cancelled\(\)|failure\(\)")


class Table(dict[str, Any]):
    """A mapping of YAML's, which knows in which lines its keys stand."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.keys_at: dict[str, int] = {}

    def line(self, *keys: str) -> int:
        """Return the line of the first of these keys that is there, else the mapping's own."""
        return next((self.keys_at[key] for key in keys if key in self.keys_at), self.number)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that judges: its job, its workflow, and what its shell makes of a failure."""

    file: str
    workflow: Table
    job_name: str
    job: Table
    table: Table
    script: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "script", str(self.table.get("run") or ""))

    @property
    def pipefail(self) -> bool:
        """Tell whether its shell fails with a pipe: only where a step names bash itself."""
        own = self.table.get("shell")
        return str(own or _shell(self.job) or _shell(self.workflow)).startswith("bash")

    def where(self, *keys: str) -> str:
        """Return the line of one of the step's keys."""
        return f"{self.file}:{self.table.line(*keys)}"

    def variable(self, name: str) -> str | None:
        """Return the value that the step, its job or its workflow give a variable."""
        for table in (self.table, self.job, self.workflow):
            given = table.get("env")
            if isinstance(given, Mapping) and name in given:
                return str(given[name])
        return None


def _shell(table: Table) -> object:
    defaults = table.get("defaults")
    run = defaults.get("run") if isinstance(defaults, Mapping) else None
    return run.get("shell") if isinstance(run, Mapping) else None


def traps(root: Path, tox_judges: bool, report_names: Sequence[str] = ()) -> Iterator[Trap]:
    """Find what is wrong with a project's workflows.

    `tox_judges`: its tox environments call the harness; `report_names` are those that report.
    """
    found: list[Step] = []
    files = sorted([*root.glob(f"{FOLDER}/*.yml"), *root.glob(f"{FOLDER}/*.yaml")])
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            workflow = _read(path)
        except (yaml.YAMLError, OSError, UnicodeDecodeError, RecursionError) as error:
            told = " ".join(str(error).split())
            yield Trap("ci/unreadable", name, f"is no workflow: {told}", "correct it")
            continue
        found += _steps(name, workflow, tox_judges)
    counting = [step for step in found if not _tolerated(step)]
    for step in found:
        yield from _ignored(step, grave=not counting)
        yield from _left_out(step)
        yield from _report(step, report_names)
    for step in _first_of_jobs(found):
        yield from _skipped(step)
        yield from _not_kept(step)
    for step in _first_of_files(found):
        yield from _filtered(step)
    if files and not found:
        verb = "tox" if tox_judges else "harness"
        told = f"no step of a workflow names {verb}"
        next_step = "let one run it, unless an action or a script that they call does"
        yield Trap("ci/not-run", str(FOLDER), told, next_step, grave=False)


def _read(path: Path) -> Table:
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    read = _plain(node) if node is not None else None
    return read if isinstance(read, Table) else Table(1)


def _plain(node: yaml.Node, depth: int = 0) -> Any:
    """Return a node's value; what is too deep for a workflow, as an alias in itself, is None."""
    if depth > 20:
        return None
    if isinstance(node, yaml.MappingNode):
        table = Table(node.start_mark.line + 1)
        for key, value in node.value:
            table[str(key.value)] = _plain(value, depth + 1)
            table.keys_at[str(key.value)] = key.start_mark.line + 1
        return table
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, depth + 1) for one in node.value]
    return node.value


def _steps(file: str, workflow: Table, tox_judges: bool) -> Iterator[Step]:
    jobs = workflow.get("jobs")
    for name, job in jobs.items() if isinstance(jobs, Table) else ():
        listed = job.get("steps") if isinstance(job, Table) else None
        for table in listed if isinstance(listed, list) else ():
            if isinstance(table, Table):
                step = Step(file, workflow, name, job, table)
                if any(_judges(one.words, tox_judges) for one in steps(step.script)):
                    yield step


def _judges(words: Words, tox_judges: bool) -> bool:
    return call(words) is not None or (tox_judges and _is_tox(words))


def _is_tox(words: Words) -> bool:
    """Tell whether tox runs environments: not where it is installed, or asked something."""
    names = [word.rpartition("/")[2] for word in words]
    if "tox" not in names or "install" in names[: names.index("tox")]:
        return False
    after = words[names.index("tox") + 1 :]
    asks = ("l", "list", "c", "config", "--version", "--help", "--notest", "schema")
    return not any(word in asks for word in after)


def _tolerated(step: Step) -> list[tuple[Table, str]]:
    """Return the step, its job, or both, where it is said that they may fail."""
    tables = ((step.table, "step"), (step.job, f"job {step.job_name}"))
    return [
        (table, what)
        for table, what in tables
        if str(table.get("continue-on-error")).lower() == "true"
    ]


def _ignored(step: Step, *, grave: bool) -> Iterator[Trap]:
    """Find verdicts that cannot make the job fail. `grave`: there is no other that can."""
    for table, what in _tolerated(step):
        yield Trap(
            "ci/ignored", f"{step.file}:{table.line('continue-on-error')}",
            f"the {what} has continue-on-error: its verdict cannot make the workflow fail",
            "delete it; waive what is tolerated by name, in the plan",
            grave=grave,
        )  # fmt: skip
    how = lost(step.script, lambda words: _judges(words, True), stops=True, pipefail=step.pipefail)
    if how:
        in_pipe = how.startswith(("'| ", "'|& "))
        also = "; or give it 'shell: bash', which GitHub runs with pipefail" if in_pipe else ""
        yield Trap(
            "ci/ignored", step.where("run"),
            f"the verdict of this step is lost: {how}",
            f"let the command stand alone{also}",
        )  # fmt: skip


def _left_out(step: Step) -> Iterator[Trap]:
    pattern = step.variable("TOX_SKIP_ENV")
    if pattern:
        yield Trap(
            "ci/left-out", step.where("env", "run"),
            f"TOX_SKIP_ENV={pattern} takes environments out of tox, even where -e asks for them",
            "delete it",
        )  # fmt: skip


def _report(step: Step, report_names: Sequence[str]) -> Iterator[Trap]:
    """Find a report that is skipped where it matters, or that has nothing to report on."""
    alone = _reports_alone(step.script, report_names)
    judged = any(one.verb == "report" for one in calls(step.script)) or alone
    condition = str(step.job.get("if") or "")
    if judged and step.job.get("needs") and not _WHATEVER_HAPPENED.search(condition):
        yield Trap(
            "ci/report-skipped", f"{step.file}:{step.job.line('if', 'needs')}",
            f"job {step.job_name} is skipped where one that it needs failed, and GitHub takes a "
            "required check that was skipped for a success",
            "give the job: if: ${{ !cancelled() }}",
        )  # fmt: skip
    if alone and not step.variable("HARNESS_RUN") and "HARNESS_RUN" not in step.script:
        yield Trap(
            "ci/run-not-shared", step.where("run"),
            "this call of tox makes a run of its own: its report has none of the evidence that "
            "other calls left",
            "let one call of tox run all of it, or set HARNESS_RUN for all of them",
        )  # fmt: skip


def _reports_alone(script: str, report_names: Sequence[str]) -> bool:
    """Tell whether a script calls tox for its report, and for nothing else."""
    for one in steps(script):
        if _is_tox(one.words):
            named = re.findall(r"(?:^|\s)-e[\s=]*(\S+)", " ".join(one.words))
            asked = [name for value in named for name in value.split(",")]
            if asked and set(asked) <= set(report_names):
                return True
    return False


def _first_of_jobs(found: Sequence[Step]) -> list[Step]:
    return list({(step.file, step.job_name): step for step in reversed(found)}.values())[::-1]


def _first_of_files(found: Sequence[Step]) -> list[Step]:
    return list({step.file: step for step in reversed(found)}.values())[::-1]


def _skipped(step: Step) -> Iterator[Trap]:
    """Tell of a job that a condition can skip: what it would have judged counts as a success."""
    condition = str(step.job.get("if") or "")
    asked = "pull_request" in _events(step.workflow)  # else no change waits for its checks
    if asked and condition and not _WHATEVER_HAPPENED.search(condition):
        yield Trap(
            "ci/skipped", f"{step.file}:{step.job.line('if')}",
            f"job {step.job_name} can be skipped, and GitHub takes a required check that was "
            "skipped for a success",
            "require a job that has if: ${{ !cancelled() }} and fails unless this one succeeded",
            grave=False,
        )  # fmt: skip


def _filtered(step: Step) -> Iterator[Trap]:
    """Tell of a workflow that does not begin for some changes: a required check waits for ever."""
    table = _events(step.workflow).get("pull_request")
    if isinstance(table, Table) and ("paths" in table or "paths-ignore" in table):
        yield Trap(
            "ci/filtered", f"{step.file}:{table.line('paths', 'paths-ignore')}",
            "for changes of other paths this workflow does not begin: nothing is judged there, "
            "and a check that is required stays pending",
            "leave the filter out, or require another check",
            grave=False,
        )  # fmt: skip


def _events(workflow: Table) -> dict[str, Any]:
    """Return what a workflow begins on; with what is said of each, if anything."""
    events = workflow.get("on")
    if isinstance(events, dict):
        return events
    return dict.fromkeys(events if isinstance(events, list) else [str(events)])


def _not_kept(step: Step) -> Iterator[Trap]:
    """Tell of reports that are kept of a PASS only, when nobody wants to read them."""
    for table in step.job.get("steps") or ():
        if not isinstance(table, Table) or "upload-artifact" not in str(table.get("uses")):
            continue
        given = table.get("with")
        path = str(given.get("path")) if isinstance(given, Table) else ""
        condition = str(table.get("if") or "")
        if "reports" in path and not _WHATEVER_HAPPENED.search(condition):
            yield Trap(
                "ci/not-kept", f"{step.file}:{table.line('if', 'uses')}",
                "the reports are kept only where all before it succeeded",
                "give the step: if: ${{ !cancelled() }}",
                grave=False,
            )  # fmt: skip

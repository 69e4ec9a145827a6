"""What is wrong with a tox matrix: where tox says OK, and something was not checked.

tox takes an environment without commands, a key that it does not know and an environment that is
left out for success. What is found here is what its owner would call a mistake: a word with one
slip in it, a name that nothing has, an outcome of the harness's that cannot fail anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harness.command import Call, Words, call, calls, lost, steps
from harness.ini import Line
from harness.matrix import Matrix, condition, expanded
from harness.plan import Plan
from harness.trap import Trap, slipped

Interpreters = Callable[[str], bool]
"""Tells whether a Python such as ``3.12`` can be started here."""

_OF_TOX = (
    "constrain_package_deps env_list envlist fail_fast ignore_base_python_conflict "
    "ignore_basepython_conflict isolated_build isolated_build_env labels legacy_tox_ini "
    "min_version minversion no_package on_platform package_env package_root provision_tox_env "
    "requires setupdir skip_env skip_missing_interpreters skipsdist temp_dir tox_root toxinidir "
    "toxworkdir venv_redirect venv_redirect_env work_dir "
)
_OF_ENVIRONMENTS = (
    "allowlist_externals always_copy alwayscopy args_are_paths base base_python "
    "base_python_file basepython change_dir changedir commands commands_post commands_pre "
    "commands_retry constrain_package_deps constraints default_base_python dependency_groups "
    "depends deps description disallow_pass_env download env_dir env_log_dir env_name "
    "env_tmp_dir envdir envlogdir envname envtmpdir extra_setup_commands extras factors "
    "fail_fast fresh_subprocess ignore_errors ignore_outcome install_command "
    "interrupt_post_commands interrupt_timeout labels list_dependencies_command meta_dir "
    "package package_env package_glob package_root parallel_show_output pass_env passenv "
    "pip_pre pkg_dir platform pylock recreate recreate_commands runner script set_env setenv "
    "sitepackages skip_install skipsdist suicide_timeout system_site_packages terminate_timeout "
    "use_develop use_frozen_constraints usedevelop virtualenv_spec wheel_build_env "
    "whitelist_externals "
)
"""The keys that tox 4 knows, and those of tox 3 that it still takes."""
_COMMANDS = ("commands_pre", "commands", "commands_post", "extra_setup_commands", "script")
_MOST_NAMED = 4
_TESTERS = ("pytest", "py.test", "unittest", "nose2", "behave", "robot")


def _judges(words: Words) -> bool:
    return call(words) is not None


def _tests(words: Words) -> bool:
    """Tell whether a program's words run tests, through whatever starts it."""
    first = next((n for n, word in enumerate(words) if word.rpartition("/")[2] in _TESTERS), None)
    return first is not None and "install" not in words[:first]


def lines_of(matrix: Matrix, name: str) -> list[Line]:
    """Return all commands of an environment."""
    return [line for key in _COMMANDS for line in matrix.value(name, key)]


def calls_of(matrix: Matrix, name: str) -> list[Call]:
    """Return what an environment calls of the harness."""
    return [one for line in lines_of(matrix, name) for one in calls(line.text.lstrip("- "))]


def reports(matrix: Matrix, name: str) -> bool:
    """Tell whether an environment judges what others left."""
    return any(one.verb == "report" for one in calls_of(matrix, name))


def traps(matrix: Matrix, environ: Mapping[str, str], has: Interpreters) -> Iterator[Trap]:
    """Find what is wrong with a matrix, whatever the plan."""
    yield from _without_commands(matrix)
    yield from _factors(matrix)
    yield from _words(matrix)
    yield from _ignored(matrix)
    yield from _depends(matrix)
    yield from _left_out(matrix, environ)
    yield from _runner(matrix)
    yield from _interpreters(matrix, has)


def _without_commands(matrix: Matrix) -> Iterator[Trap]:
    """Find environments that tox runs, does nothing in, and calls OK."""
    for name in matrix.listed:
        if lines_of(matrix, name):
            continue
        meant = _meant(matrix, name)
        yield Trap(
            "tox/no-commands", matrix.own_place(name),
            f"[testenv:{name}] has no command: tox says OK and nothing was run",
            f"correct {meant}" if meant else "give it commands, or take it out of env_list",
        )  # fmt: skip


def _meant(matrix: Matrix, name: str) -> str:
    """Say which misspelt key or factor may have been meant for an environment; empty: none."""
    for key, section in matrix.sections.items():
        for word, number in section.keys.items():
            is_own = key == "testenv" or name in expanded(key.partition(":")[2])
            if is_own and slipped(word, "commands"):
                return f"{word!r} to 'commands' ({matrix.where(number)})"
    for factor, line in matrix.conditions(*_COMMANDS):
        for own in name.split("-"):
            if slipped(factor, own):
                return f"{factor!r} to {own!r} ({matrix.where(line)})"
    return ""


def _factors(matrix: Matrix) -> Iterator[Trap]:
    """Find commands for a factor that no environment has, one slip away from one that some have.

    What is installed for one is left alone: such factors are often for whoever asks for them.
    """
    known = {factor for name in matrix.names for factor in name.split("-")}
    told = set()
    for factor, line in matrix.conditions(*_COMMANDS):
        if factor in known or factor in told or not re.fullmatch(r"[a-z_]+", factor):
            continue
        near = sorted(one for one in known if slipped(factor, one) and one.isalpha())
        if near:
            told.add(factor)
            yield Trap(
                "tox/factor", matrix.where(line),
                f"the command is for the factor {factor!r}, which no environment has",
                f"correct it to {near[0]!r}",
                grave=bool(calls(condition(line.text)[1])),
            )  # fmt: skip


def _words(matrix: Matrix) -> Iterator[Trap]:
    """Find keys and sections that are one slip away from one that tox knows."""
    text = "\n".join(
        line.text
        for section in matrix.sections.values()
        for value in section.values.values()
        for line in value
    )
    for name, section in matrix.sections.items():
        head = name.partition(":")[0]
        if head not in ("tox", "testenv") and slipped(head, "testenv"):
            yield _misspelt(matrix, section.number, f"section [{name}]", "testenv")
        if head not in ("tox", "testenv"):
            continue
        known = (_OF_TOX if head == "tox" else _OF_ENVIRONMENTS).split()
        for key, number in section.keys.items():
            near = sorted(one for one in known if slipped(key, one))
            if near and key not in known and f"]{key}}}" not in text:
                yield _misspelt(matrix, number, f"key {key!r}", near[0])


def _misspelt(matrix: Matrix, number: int, what: str, meant: str) -> Trap:
    told = f"tox does not know the {what}, and passes over it without a word"
    return Trap("tox/unknown-key", matrix.where(number), told, f"correct it to {meant!r}")


def _ignored(matrix: Matrix) -> Iterator[Trap]:
    """Find verdicts and tests that cannot make tox fail."""
    for name in matrix.names:
        if _is_true(matrix.value(name, "ignore_outcome")) and calls_of(matrix, name):
            yield Trap(
                "tox/ignored", matrix.place(name, "ignore_outcome"),
                f"[testenv:{name}] has ignore_outcome: its verdict cannot make tox fail",
                "delete it; waive what is tolerated by name, in the plan",
            )  # fmt: skip
        for line in lines_of(matrix, name):
            how = _ignores(line.text)
            if how:
                yield Trap(
                    "tox/ignored", matrix.where(line),
                    f"the outcome of this command of [testenv:{name}] is lost: {how}",
                    "let the command stand alone",
                )  # fmt: skip


def _ignores(text: str) -> str:
    """Say how a command loses an outcome of the harness's or of tests; empty: it does not."""

    def judged(words: Words) -> bool:
        return _judges(words) or _tests(words)

    dashed = re.match(r"-\s*(?=[\w{.\"'])", text)
    if dashed and any(judged(step.words) for step in steps(text[dashed.end() :])):
        return "a '-' before it makes every exit code a success"
    if re.search(r"\b(?:ba|da|z)?sh\b\s.*-\w*c\b", text):  # without a shell, a bar is an argument
        return lost(text, judged)
    return ""


def _is_true(lines: Sequence[Line]) -> bool:
    return any(line.text.lower() in ("true", "1", "yes", "on") for line in lines)


def _depends(matrix: Matrix) -> Iterator[Trap]:
    """Find environments that are to wait for what there is none of."""
    for name in matrix.listed:
        for line in matrix.value(name, "depends"):
            for wanted in expanded(line.text):
                if not any(fnmatchcase(one, wanted) for one in matrix.names):
                    yield Trap(
                        "tox/depends", matrix.where(line),
                        f"[testenv:{name}] depends on {wanted}, and there is no such environment",
                        "correct the name, or delete it",
                        grave=bool(calls_of(matrix, name)),
                    )  # fmt: skip


def _left_out(matrix: Matrix, environ: Mapping[str, str]) -> Iterator[Trap]:
    """Find what the variable TOX_SKIP_ENV takes out, of `-e` too."""
    pattern = environ.get("TOX_SKIP_ENV", "").strip()
    try:
        gone = [name for name in matrix.names if pattern and re.match(pattern, name)]
    except re.error:
        return  # tox refuses it
    if gone:
        yield Trap(
            "tox/left-out", f"TOX_SKIP_ENV={pattern}",
            f"tox leaves out {', '.join(gone)} and says OK, even where -e asks for them",
            "unset TOX_SKIP_ENV",
        )  # fmt: skip


def _runner(matrix: Matrix) -> Iterator[Trap]:
    """Find verdicts that are left to a runner of a plugin's, which nothing requires."""
    required = " ".join(line.text for line in matrix.core("requires"))
    for name in matrix.listed:
        for line in matrix.value(name, "runner"):
            if line.text.startswith("uv-") and "tox-uv" not in required and calls_of(matrix, name):
                yield Trap(
                    "tox/runner", matrix.where(line),
                    f"[testenv:{name}] needs tox-uv: without it tox says NOT AVAILABLE, and OK",
                    "add tox-uv to [tox] requires",
                )  # fmt: skip


def _interpreters(matrix: Matrix, has: Interpreters) -> Iterator[Trap]:
    """Tell of the Pythons that tox would pass over here."""
    if not _is_true(matrix.core("skip_missing_interpreters")):
        return
    by_python: dict[str, list[str]] = {}
    for name in matrix.listed:
        if found := python_of(matrix, name):
            by_python.setdefault(found, []).append(name)
    missing = [python for python in by_python if not has(python)]
    if missing:
        names = [name for python in missing for name in by_python[python]]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        skipped = ", ".join(names[:_MOST_NAMED]) + more
        yield Trap(
            "tox/interpreter", matrix.core_place("skip_missing_interpreters"),
            f"there is no Python {', '.join(missing)} here: tox skips {skipped}, and says OK",
            "install what is missing; in CI: tox --skip-missing-interpreters false",
            grave=False,
        )  # fmt: skip


def python_of(matrix: Matrix, name: str) -> str:
    """Return the Python that an environment names, as ``3.12``; empty: tox's own, or another."""
    told = [line.text for line in matrix.value(name, "base_python", "basepython")]
    for word in (*told, *name.split("-")):
        if found := re.fullmatch(r"(?:py|python)?(\d)\.?(\d{1,2})", word):
            return f"{found[1]}.{found[2]}"
    return ""


def of_plan(matrix: Matrix, plan: Plan, root: Path, environ: Mapping[str, str]) -> Iterator[Trap]:
    """Find what keeps `harness report` from all of the plan's evidence, in one run."""
    calling = [name for name in matrix.listed if calls_of(matrix, name)]
    reporting = [name for name in calling if reports(matrix, name)]
    if not calling:
        return
    if not reporting and not any(c.verb == "run" for n in calling for c in calls_of(matrix, n)):
        yield Trap(
            "tox/no-report", matrix.own_place(calling[0]),
            "no environment calls 'harness report': the parts have no one verdict",
            "add an environment with commands = harness report, and depends on the others",
            grave=False,
        )  # fmt: skip
        return
    if reporting:
        yield from _not_produced(matrix, plan, calling, reporting[0])
        yield from _not_shared(matrix, calling, root, environ)
    for name in reporting:
        yield from _yesterday(matrix, name)
        yield from _before(matrix, name, [one for one in calling if one not in reporting])


def _not_produced(
    matrix: Matrix, plan: Plan, calling: Sequence[str], report: str
) -> Iterator[Trap]:
    """Find evidence that the plan asks for and that no environment produces."""
    made = {name: parts_of(calls_of(matrix, name), plan) for name in calling}
    for part in plan.parts:
        if not any(part in parts for parts in made.values()):
            verb = {"functional": "test", "load": "load"}.get(part.partition("-")[0], "gates")
            yield Trap(
                "tox/not-produced", matrix.own_place(report),
                f"the plan asks for {part}, and no environment of env_list produces it",
                f"add one with commands = harness {verb}",
            )  # fmt: skip
    testing = [name for name in calling if any(p.startswith("functional-") for p in made[name])]
    ran = {python_of(matrix, name) for name in testing}
    for python in plan.tests.pythons if plan.tests and testing and "" not in ran else ():
        if python not in ran:
            yield Trap(
                "tox/not-produced", matrix.own_place(testing[0]),
                f"the plan's tests are for Python {python}, too, and no environment has it",
                f"add py{python.replace('.', '')} to env_list, or take it out of tests.pythons",
            )  # fmt: skip


def parts_of(called: Sequence[Call], plan: Plan) -> set[str]:
    """Return the parts of a plan that calls of the harness produce."""
    parts: set[str] = set()
    for one in called:
        if one.verb == "run":
            parts |= set(plan.parts)
        elif one.verb == "test":
            planned = map(str, plan.tests.targets if plan.tests else ())
            parts |= {f"functional-{target}" for target in one.values("--target") or planned}
        elif one.verb == "load" and "molotov" not in one.values("--runner"):
            named = [load.name for load in plan.loads if load.name in one.arguments]
            parts |= {f"load-{name}" for name in named or [load.name for load in plan.loads]}
        elif one.verb == "gates":
            parts.add("gates")
    return parts


def _not_shared(
    matrix: Matrix, calling: Sequence[str], root: Path, environ: Mapping[str, str]
) -> Iterator[Trap]:
    """Find what keeps the environments of one call from one run: they would judge another's."""
    step = "let [testenv] pass_env have HARNESS_RUN, and toxfile.py set it for each call of tox"
    for name in calling:
        passed = [word for line in matrix.value(name, "pass_env", "passenv")
                  for word in re.split(r"[,\s]+", line.text)]  # fmt: skip
        own = " ".join(line.text for line in matrix.value(name, "set_env", "setenv"))
        if "HARNESS_RUN" in own or any(fnmatchcase("HARNESS_RUN", word) for word in passed):
            continue
        yield Trap(
            "tox/run-not-shared", matrix.place(name, "pass_env", "passenv"),
            f"[testenv:{name}] does not get HARNESS_RUN: it makes a run of its own, and "
            "'harness report' judges whatever run is the newest",
            step,
        )  # fmt: skip
        return
    toxfile = root / "toxfile.py"
    text = toxfile.read_text(encoding="utf-8", errors="replace") if toxfile.is_file() else ""
    sets = any("HARNESS_RUN" in line.text for name in calling
               for line in matrix.value(name, "set_env", "setenv"))  # fmt: skip
    if "HARNESS_RUN" not in text and not sets and not environ.get("HARNESS_RUN"):
        yield Trap(
            "tox/run-not-shared", matrix.file,
            "nothing sets HARNESS_RUN: each environment makes a run of its own, and "
            "'harness report' judges the newest, yesterday's too",
            step,
        )  # fmt: skip


def _yesterday(matrix: Matrix, report: str) -> Iterator[Trap]:
    """Find a report on a folder with a fixed name, whatever this call of tox leaves."""
    for line in lines_of(matrix, report):
        for one in (found for found in calls(line.text) if found.verb == "report"):
            fixed = [word for word in one.plain if "{" not in word and "$" not in word]
            if fixed:
                yield Trap(
                    "tox/run-not-shared", matrix.where(line),
                    f"'harness report {fixed[0]}' judges that folder, whatever this call leaves",
                    "leave the folder out: HARNESS_RUN names the run",
                )  # fmt: skip


def _before(matrix: Matrix, report: str, producing: Sequence[str]) -> Iterator[Trap]:
    """Find environments that may run after the report on them."""
    waited = [name for line in matrix.value(report, "depends") for name in expanded(line.text)]
    late = [name for name in producing if not any(fnmatchcase(name, one) for one in waited)]
    if late:
        in_turn = all(matrix.listed.index(name) < matrix.listed.index(report) for name in late)
        when = "with tox -p" if in_turn else "in every call"
        yield Trap(
            "tox/report-first", matrix.place(report, "depends"),
            f"[testenv:{report}] does not depend on {', '.join(late)}, and {when} may judge "
            "before they have ended",
            f"add to its depends: {', '.join(late)}",
        )  # fmt: skip

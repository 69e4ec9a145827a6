"""What was run: counted for every file of the inventory, on data of this run alone."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from harness.gates.coverage import Coverage, measured
from harness.inspection import Covered
from harness.inventory import python_files

BRANCHY = "def sign(n):\n    if n < 0:\n        return -1\n    return 1\n"


@pytest.fixture
def run(tmp_path):
    """Run ``python -m <module>`` below a root, measured, into a folder; return the folder."""

    def start(root, module="main", part="functional-inproc", paths=(".",), data="data", env=()):
        folder = tmp_path / data
        folder.mkdir(parents=True, exist_ok=True)
        files = python_files(root, paths)
        command = measured([module], data=folder, part=part, root=root, files=files)
        subprocess.run(command, cwd=root, env={**os.environ, **dict(env)}, check=True)
        return folder

    return start


@pytest.fixture
def covered(run, inspect):
    """Run ``main`` below a root and return what was covered, by path."""

    def found(root, **options):
        account, facts = inspect(Coverage(run(root, **options)), root)
        assert account.checked == tuple(fact.path for fact in facts)
        return {fact.path: fact for fact in facts}

    return found


def test_statements_and_branches_are_counted_exactly(tree, covered):
    root = tree({"main.py": "from app import sign\nsign(1)\n", "app.py": BRANCHY})
    assert covered(root)["app.py"] == Covered(
        path="app.py",
        statements=4,
        covered=3,
        branches=2,
        covered_branches=1,
        missing=(3,),
        ran=(1, 2, 4),
    )


def test_a_file_that_was_never_imported_is_wholly_uncovered(tree, covered):
    root = tree({"main.py": "x = 1\n", "pkg/__init__.py": "", "pkg/unused.py": BRANCHY})
    assert covered(root)["pkg/unused.py"] == Covered(
        path="pkg/unused.py",
        statements=4,
        covered=0,
        branches=2,
        covered_branches=0,
        missing=(1, 2, 3, 4),
    )


def test_a_folder_without_an_init_file_is_measured_and_counted(tree, covered):
    root = tree(
        {
            "main.py": "import space.used\n",
            "space/used.py": "x = 1\n",
            "space/below/unused.py": "x = 1\n",
        }
    )
    found = covered(root, paths=("space", "main.py"))
    assert found["space/used.py"].missing == ()
    assert found["space/below/unused.py"].missing == (1,)


def test_without_data_nothing_is_checked(tree, inspect, tmp_path):
    root = tree({"app.py": BRANCHY})
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "never_made"):
        account, facts = inspect(Coverage(tmp_path / folder), root)
        assert (account.inventory, account.checked, facts) == (1, (), [])
        assert [entry.slug for entry in account.not_checked] == ["coverage/no-data"]


def test_tests_that_ran_none_of_the_code_leave_it_uncovered_with_its_branches(tree, run, inspect):
    root = tree({"main.py": "x = 1\n", "app.py": BRANCHY})
    folder = run(root, paths=("app.py",))
    _, facts = inspect(Coverage(folder), root, ("app.py",))
    assert [(f.statements, f.covered, f.branches, f.covered_branches) for f in facts] == [
        (4, 0, 2, 0)
    ]


def test_data_of_a_former_run_is_not_swept_up(tree, run, inspect):
    root = tree({"main.py": "import app\n", "app.py": "x = 1\n"})
    former = run(root, data="data/former")
    shutil.copy(next(former.glob(".cov*")), former.parent / ".coverage")
    (root / "main.py").write_text("x = 1\n")
    folder = run(root, data="data/this")
    shutil.copy(next(former.glob(".cov*")), root / ".coverage.stray.1")
    _, facts = inspect(Coverage(folder), root)
    assert {fact.path: fact.missing for fact in facts} == {"app.py": (1,), "main.py": ()}


def test_the_parts_of_a_run_add_up_and_their_data_stays(tree, run, inspect):
    root = tree(
        {
            "one.py": "from app import sign\nsign(1)\n",
            "two.py": "from app import sign\nsign(-1)\n",
            "app.py": BRANCHY,
        }
    )
    folder = run(root, "one")
    run(root, "two", part="functional-served")
    before = {path.name: path.read_bytes() for path in folder.glob(".cov*")}
    assert len(before) == 2
    for _ in range(2):  # judging again finds the same
        _, facts = inspect(Coverage(folder), root)
        assert all(fact.covered == fact.statements for fact in facts)
        assert {path.name: path.read_bytes() for path in folder.glob(".cov*")} == before


def test_a_damaged_data_file_is_no_evidence(tree, run, inspect):
    root = tree({"main.py": "x = 1\n"})
    folder = run(root)
    (folder / ".coverage.functional-served.1").write_bytes(b"SQLite format 3\0 cut short")
    account, facts = inspect(Coverage(folder), root)
    assert facts == []
    assert [entry.slug for entry in account.not_checked] == ["coverage/bad-data"]
    assert ".coverage.functional-served.1" in account.not_checked[0].reason


def test_data_without_branches_is_no_evidence(tree, inspect, tmp_path):
    root = tree({"main.py": BRANCHY})
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", f"--data-file={tmp_path}/.coverage.x", "main.py"],
        cwd=root,
        check=True,
    )
    account, _ = inspect(Coverage(tmp_path), root)
    assert [entry.slug for entry in account.not_checked] == ["coverage/bad-data"]


def test_files_that_cannot_be_parsed_do_not_drop_out(tree, run, inspect, not_parsed):
    root = tree({"main.py": "x = 1\n"})
    folder = run(root)
    tree(not_parsed)
    account, _ = inspect(Coverage(folder), root)
    assert account.checked == ("main.py",)
    assert {entry.path for entry in account.not_checked} == set(not_parsed)
    assert {entry.slug for entry in account.not_checked} == {"gates/not-parsed"}


def test_an_empty_module_is_checked_and_has_no_statements(tree, covered):
    root = tree({"main.py": "x = 1\n", "empty.py": ""})
    assert covered(root)["empty.py"].statements == 0


def test_excluded_code_leaves_no_statements_that_could_count_as_covered(tree, covered):
    code = "class App:  # pragma: no cover\n    def f(self):\n        return 1\n"
    found = covered(tree({"main.py": "import app\n", "app.py": code}))["app.py"]
    assert (found.statements, found.covered) == (0, 0)


def test_configuration_in_the_tree_and_in_the_environment_has_no_effect(tree, covered, tmp_path):
    exclude = "[run]\nomit = *\n[report]\nexclude_also = .*\nomit = *\n"
    root = tree({"main.py": "import app\n", "app.py": BRANCHY, ".coveragerc": exclude})
    tree({"pyproject.toml": '[tool.coverage.run]\nomit = ["*"]\nbranch = false\n'})
    other = tmp_path / "other.rc"
    other.write_text(exclude)
    found = covered(root, env={"COVERAGE_RCFILE": str(other), "COVERAGE_FILE": "/nowhere/x"})
    assert found["app.py"].statements == 4
    assert found["app.py"].missing == (2, 3, 4)
    assert found["app.py"].branches == 2


def test_a_copy_of_the_code_elsewhere_does_not_count(tree, run, inspect):
    copy = tree({"main.py": "import app\n", "app.py": "x = 1\n"}, under="copy")
    root = tree({"main.py": "import app\n", "app.py": "x = 1\n"})
    _, facts = inspect(Coverage(run(copy)), root)
    assert {fact.path: fact.covered for fact in facts} == {"app.py": 0, "main.py": 0}


def test_threads_are_measured(tree, covered):
    main = (
        "import threading\nfrom app import sign\n"
        "t = threading.Thread(target=sign, args=(1,))\nt.start()\nt.join()\n"
    )
    assert covered(tree({"main.py": main, "app.py": BRANCHY}))["app.py"].missing == (3,)


def test_greenlets_are_measured_where_they_are_installed(tmp_path, monkeypatch):
    def option():
        command = measured(["pytest"], data=tmp_path, part="p", root=tmp_path, files=["a.py"])
        return next(word for word in command if word.startswith("--concurrency="))

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert option() == "--concurrency=thread"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert option() == "--concurrency=thread,greenlet"


def test_odd_names_and_links_are_measured(tree, covered, tmp_path):
    shared = tree({"model.py": "x = 1\n"}, under="shared")
    root = tree(
        {"main.py": "import os, runpy, glob\nimport linked.model\n"
         "runpy.run_path(glob.glob('o*/*.py')[0])\n"
         "runpy.run_path('script')\n",
         "odd, [folder] $HOME é 'x'*/part.py": "x = 1\n",
         "script": "#!/usr/bin/env python\nx = 1\n"},
        under="a root, with [odd] $names",
    )  # fmt: skip
    (root / "linked").symlink_to(shared)
    found = covered(root)
    assert len(found) == 4
    assert {fact.missing for fact in found.values()} == {()}


def test_only_files_of_the_inventory_are_measured(tree, run):
    import coverage

    root = tree({"main.py": "import lib.other\nimport sub.deep\n", "lib/other.py": "x = 1\n"})
    tree({"sub/deep.py": "x = 1\n"})
    folder = run(root, paths=("main.py", "sub"))
    data = coverage.CoverageData(str(next(folder.glob(".cov*"))))
    data.read()
    names = {os.path.relpath(name, root) for name in data.measured_files()}
    data.close()
    assert names == {"main.py", os.path.join("sub", "deep.py")}


def test_the_command_runs_a_module_with_its_arguments_on_this_interpreter(tmp_path):
    files = ["a.py", "b.py", "sub/c.py"]
    command = measured(["pytest", "-q"], data=tmp_path, part="p", root=tmp_path, files=files)
    assert command[:4] == [sys.executable, "-m", "coverage", "run"]
    assert command[-3:] == ["-m", "pytest", "-q"]
    assert f"--include={tmp_path}/*.py,{tmp_path}/sub/*.py" in command


def test_an_empty_inventory_is_accounted_for_as_such(tree, run, inspect):
    folder = run(tree({"main.py": "x = 1\n"}))
    account, facts = inspect(Coverage(folder), tree({"readme.md": "x"}, under="other"))
    assert (account.inventory, account.checked, account.not_checked, facts) == (0, (), (), [])
    assert account.tool.startswith("coverage 7.")


def test_a_file_that_changed_since_the_tests_ran_is_not_checked(tree, run, inspect):
    root = tree({"main.py": "import app\n", "app.py": "x = 1\n"})
    folder = run(root)
    (root / "app.py").write_text("x = 2\n")
    (root / "new.py").write_text("x = 3\n")
    account, facts = inspect(Coverage(folder), root)
    assert [fact.path for fact in facts] == ["main.py"]
    assert [(e.path, e.slug) for e in account.not_checked] == [
        ("app.py", "coverage/other-code"),
        ("new.py", "coverage/other-code"),
    ]


def test_data_of_another_run_in_the_same_folder_is_no_evidence(tree, run, inspect):
    root = tree({"main.py": "x = 1\n"})
    folder = run(root)
    account, _ = inspect(Coverage(folder, run="another"), root)
    assert [entry.slug for entry in account.not_checked] == ["coverage/bad-data"]
    assert "of another run" in account.not_checked[0].reason


@pytest.mark.parametrize("note", [None, b"", b"[]", b"{" * 9999])
def test_data_of_which_nothing_says_what_was_measured_is_no_evidence(tree, run, inspect, note):
    root = tree({"main.py": "x = 1\n"})
    folder = run(root)
    (noted,) = folder.glob("code-*.json")
    noted.unlink() if note is None else noted.write_bytes(note)
    account, _ = inspect(Coverage(folder), root)
    assert [entry.slug for entry in account.not_checked] == ["coverage/bad-data"]
    assert "of which code" in account.not_checked[0].reason


def test_lines_that_a_comment_takes_out_are_counted(tree, covered):
    code = "def f():  # pragma: no cover\n    return 1\nx = 1\n"
    found = covered(tree({"main.py": "import app\n", "app.py": code}))["app.py"]
    assert (found.statements, found.excluded) == (1, 2)

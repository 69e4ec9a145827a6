"""Bandit's findings: every file, every issue, and what was to hide them."""

import logging
import os
import sys
import threading
import warnings

import pytest

from harness.gates.security import Security
from harness.inspection import Weakness

EVAL = "def run(text):\n    return eval(text)\n"


@pytest.fixture
def weaknesses(tree, inspect):
    """Return the facts about a tree in which every file could be checked."""

    def found(contents):
        account, facts = inspect(Security(), tree(contents))
        assert account.not_checked == ()
        assert len(account.checked) == account.inventory > 0
        return facts

    return found


def test_eval_is_a_weakness_of_medium_severity(weaknesses):
    assert weaknesses({"app.py": EVAL}) == [
        Weakness(
            path="app.py",
            line=2,
            rule="B307",
            severity="medium",
            confidence="high",
            message="Use of possibly insecure function - consider using safer ast.literal_eval.",
            suppressed=False,
        )
    ]


def test_files_that_bandit_cannot_parse_are_not_checked(tree, inspect, not_parsed):
    account, facts = inspect(Security(), tree({**not_parsed, "fine.py": EVAL}))
    assert account.checked == ("fine.py",)
    assert {entry.path for entry in account.not_checked} == set(not_parsed)
    assert {entry.slug for entry in account.not_checked} == {"gates/not-parsed"}
    assert [fact.path for fact in facts] == ["fine.py"]


def test_a_file_that_bandit_fails_at_is_not_checked(tree, inspect):
    account, facts = inspect(Security(), tree({"deep.py": "x = a" + ".b()" * 900 + "\n" + EVAL}))
    assert (account.checked, facts) == ((), [])
    assert [entry.slug for entry in account.not_checked] == ["gates/tool-error"]


def test_a_file_that_cannot_be_read_is_not_checked(tree, inspect):
    root = tree({})
    (root / "app.py").symlink_to("nowhere.py")
    account, _ = inspect(Security(), root)
    assert [entry.slug for entry in account.not_checked] == ["gates/unreadable"]


def test_a_pipe_is_not_waited_for_and_a_device_is_not_read(tree, inspect):
    root = tree({"fine.py": EVAL})
    os.mkfifo(root / "pipe.py")
    (root / "device.py").symlink_to("/dev/zero")
    account, _ = inspect(Security(), root)
    assert account.checked == ("fine.py",)
    assert {entry.reason for entry in account.not_checked} == {"not a regular file"}


def test_no_name_of_a_folder_excludes_a_file(tree, inspect):
    names = [".github/scripts/a.py", "CVSImport/b.py", "app/c.py", "tests/d.py", "script.pyw"]
    root = tree(dict.fromkeys(names, EVAL), under="my.github.io")
    account, facts = inspect(Security(), root)
    assert account.checked == tuple(sorted(names))
    assert sorted(fact.path for fact in facts) == sorted(names)


def test_configuration_in_the_tree_has_no_effect(weaknesses):
    skip_all = "[bandit]\nskips: B307\nexclude: app.py\n"
    facts = weaknesses(
        {
            "app.py": EVAL,
            "vendored/lib.py": EVAL,
            ".bandit": skip_all,
            "vendored/.bandit": skip_all,
            "pyproject.toml": '[tool.bandit]\nskips = ["B307"]\nexclude_dirs = ["."]\n',
        }
    )
    assert [(fact.path, fact.rule) for fact in facts] == [
        ("app.py", "B307"),
        ("vendored/lib.py", "B307"),
    ]


@pytest.mark.parametrize(
    "comment",
    ["nosec", "nosec B307", "nosec B999", "nosec because trusted", "nosecurity is great"],
)
def test_what_a_comment_suppresses_is_seen_and_marked(weaknesses, comment):
    facts = weaknesses({"app.py": f"eval(x)  # {comment}\neval(y)\n"})
    assert [(fact.line, fact.suppressed) for fact in facts] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    ("comment", "blanket"),
    [("nosec", True), ("nosec B307", False), ("nosec B999", True), ("nosec: eval", False)],
)
def test_what_suppresses_an_issue_is_known_with_its_line(weaknesses, comment, blanket):
    (found,) = weaknesses({"app.py": f"x = [\n    eval(\n        y  # {comment}\n    )\n]\n"})
    assert (found.line, found.suppressed, found.comment) == (2, True, 3)
    assert found.blanket is blanket


def test_a_comment_that_names_another_rule_suppresses_nothing(weaknesses):
    assert [fact.suppressed for fact in weaknesses({"app.py": "eval(x)  # nosec B101\n"})] == [
        False
    ]


def test_of_two_issues_on_a_line_only_the_named_one_is_suppressed(weaknesses):
    facts = weaknesses({"app.py": "assert eval(x)  # nosec B101\n"})
    assert {fact.rule: fact.suppressed for fact in facts} == {"B101": True, "B307": False}


def test_where_comments_cannot_be_read_nothing_counts_as_suppressed(tree, inspect):
    # Python parses these bytes in a comment. Bandit's trojansource and its reader of comments
    # raise at them: the first is only logged, the second skips the file.
    root = tree({"app.py": b"eval(x)  # nosec\n\n\n# caf\xe9\n"})
    account, facts = inspect(Security(), root)
    assert [(entry.path, entry.slug) for entry in account.not_checked] == [
        ("app.py", "gates/tool-error")
    ]
    assert [(fact.rule, fact.suppressed) for fact in facts] == [("B307", False)]


def test_a_bandit_that_goes_another_way_has_checked_nothing(tree, inspect, monkeypatch):
    inspect(Security(), tree({"app.py": EVAL}))  # so that Bandit is imported, quietly
    manager = sys.modules["bandit.core.manager"].BanditManager
    monkeypatch.setattr(manager, "_parse_file", lambda self, name, data, files: None)
    account, _ = inspect(Security(), tree({}))
    assert account.checked == ()
    assert [entry.slug for entry in account.not_checked] == ["gates/tool-error"]


def test_a_plugin_that_raises_leaves_its_file_unchecked(tree, inspect, monkeypatch):
    inspect(Security(), tree({}))  # so that Bandit is imported, quietly
    test_set = sys.modules["bandit.core.test_set"].BanditTestSet
    get_tests = test_set.get_tests

    def failing(context):
        raise ValueError("a bug in a plugin")

    def with_a_bug(self, kind):
        return [*([failing] if kind == "Assert" else []), *get_tests(self, kind)]

    monkeypatch.setattr(test_set, "get_tests", with_a_bug)
    logging.disable(logging.CRITICAL)  # it must not depend on what Bandit logs
    try:
        root = tree({"bad.py": "assert x\n" + EVAL, "fine.py": "x = 1\n"})
        account, facts = inspect(Security(), root)
    finally:
        logging.disable(logging.NOTSET)
    assert account.checked == ("fine.py",)
    (entry,) = account.not_checked
    assert (entry.path, entry.slug) == ("bad.py", "gates/tool-error")
    assert "ValueError: a bug in a plugin" in entry.reason
    assert [fact.rule for fact in facts] == ["B101", "B307"]  # what was found is told


def test_an_installation_without_bandits_tests_checks_nothing(tree, inspect, monkeypatch):
    inspect(Security(), tree({"app.py": EVAL}))
    manager = sys.modules["bandit.core.extension_loader"].MANAGER
    monkeypatch.setattr(manager, "plugins", [])
    monkeypatch.setattr(manager, "blacklist", {})
    account, facts = inspect(Security(), tree({}))
    assert (account.checked, facts) == ((), [])
    assert [entry.slug for entry in account.not_checked] == ["gates/tool-error"]


def test_bandit_prints_nothing_and_leaves_no_trace(tree, inspect, not_parsed, capfd, caplog):
    logger = logging.getLogger("bandit")
    root_logger = logging.getLogger()
    caplog.set_level(logging.INFO)

    def state():
        return (
            warnings.formatwarning, list(warnings.filters), logger.level, logger.propagate,
            list(logger.handlers), list(root_logger.handlers), threading.active_count(),
        )  # fmt: skip

    before = state()
    many = {f"m{n}.py": "eval(x)  # nosec B999\n" for n in range(60)}
    inspect(Security(), tree({**many, **not_parsed}))
    assert state() == before
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("bandit")]


def test_importing_bandit_leaves_warnings_as_they_were(tree, inspect):
    import subprocess

    root = tree({"app.py": EVAL})
    code = (
        "import pathlib, sys, warnings; before = warnings.formatwarning\n"
        "from harness.gates.security import Security; assert 'bandit' not in sys.modules\n"
        "Security().inspect(pathlib.Path(sys.argv[1]), ['.'], ['app.py'])\n"
        "assert warnings.formatwarning is before\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(root)], check=True)


def test_an_interrupt_stays_an_interrupt(tree, inspect, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    inspect(Security(), tree({"app.py": EVAL}))
    monkeypatch.setattr("bandit.core.metrics.Metrics.begin", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inspect(Security(), tree({}))


def test_code_that_utf8_cannot_hold_can_be_written_down(weaknesses):
    (fact,) = weaknesses({"app.py": "password = 'secret\\ud800'\n"})
    assert fact.rule == "B105"
    fact.message.encode()


def test_an_empty_inventory_is_accounted_for_as_such(tree, inspect):
    account, facts = inspect(Security(), tree({"readme.md": "x"}))
    assert (account.inventory, account.checked, facts) == (0, (), [])
    assert account.tool.startswith("bandit 1.")

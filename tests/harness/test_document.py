from __future__ import annotations

import time

import msgspec
import pytest

from harness.document import Document, Step
from harness.errors import PlanError

TEXT = """\
# a comment with [brackets] and a = sign
top = 1

[services.one]
app = "a:b"          # trailing [comment]
"quoted key" = 1
'other.key'.inner = 2

[services."two.three"]
env = { A = "1", B = "[x]" }

[[stub]]
name = "first"
[stub.reply]
status = 200
[[stub.replies]]
text = "a"
[[stub.replies]]
text = "b"

[[stub]]
name = "second"
text = \"\"\"
[services.one]
name = "not a key"
\"\"\"
list = [
  [1, 2],
  ["[stub]", "x = 1"],
]
after = 1
[stub.reply]
status = 201
  [ stub . reply . headers ]
  A = "b"
[[stub.replies]]
text = "c"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["top"], 2),
        (["services"], 4),
        (["services", "one"], 4),
        (["services", "one", "app"], 5),
        (["services", "one", "quoted key"], 6),
        (["services", "one", "other.key", "inner"], 7),
        (["services", "two.three"], 9),
        (["services", "two.three", "env"], 10),
        (["services", "two.three", "env", "A"], 10),
        (["services", "one", "absent"], 4),
        (["absent"], 1),
        (["stub"], 12),
        (["stub", 0], 12),
        (["stub", 0, "name"], 13),
        (["stub", 0, "reply"], 14),
        (["stub", 0, "reply", "status"], 15),
        (["stub", 0, "replies", 0], 16),
        (["stub", 0, "replies", 1, "text"], 19),
        (["stub", 1], 21),
        (["stub", 1, "name"], 22),
        (["stub", 1, "text"], 23),
        (["stub", 1, "list", 1], 27),
        (["stub", 1, "after"], 31),
        (["stub", 1, "reply"], 32),
        (["stub", 1, "reply", "status"], 33),
        (["stub", 1, "reply", "headers", "A"], 35),
        (["stub", 1, "replies", 0, "text"], 37),
    ],
)
def test_a_key_is_found_on_its_line(path: list[Step], line: int) -> None:
    assert Document(TEXT, "t.toml").where(path) == f"t.toml:{line}"


def test_the_whole_text_has_no_line() -> None:
    assert Document(TEXT, "t.toml").where([]) == "t.toml"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a = """x\n\\"""\nb = 1\n"""\nb = 2', 5),
        ("a = '''\nb = 1 \\'''\nb = 2", 3),
        ("a = '#'  # it's\nb = 1", 2),
        ('a = "\\"["\nb = 1', 2),
        ("a = [ # ]\n1,\n]\nb = 1", 4),
        ("a = 1\r\nb = 1\r\n", 2),
        ('"]" = 1\nb = 1', 2),
        ("a = '\u2028'\nb = 1", 2),  # to TOML, as to an editor, that ends no line
    ],
)
def test_values_over_several_lines_hold_no_keys(text: str, line: int) -> None:
    assert Document(text, "t.toml").where(["b"]) == f"t.toml:{line}"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    status: int = 200
    headers: dict[str, str] = {}


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    reply: Inner | None = None
    replies: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("text", "slug", "line", "says"),
    [
        ("[t]\nname = 1", "plan/wrong-type", 2, "t.name: expected `str`, got `int`"),
        ("[t]\nnme = ''", "plan/unknown-key", 2, "unknown key 'nme' in t ("),
        (
            "[t]\nnme = ''",
            "plan/unknown-key",
            2,
            "Did you mean 'name'? Known: name, replies, reply",
        ),
        ("[t]", "plan/missing-key", 1, "t needs the key 'name'"),
        ("[t]\nname = ''\n[t.reply]\nstaus = 1", "plan/unknown-key", 4, "Did you mean 'status'?"),
        ("[t]\nname = ''\nreply = { x = 1 }", "plan/unknown-key", 3, "Known: headers, status."),
        (
            "[t]\nname = ''\n[[t.replies]]\n[[t.replies]]\nstaus = 1",
            "plan/unknown-key",
            5,
            "'staus' in t.replies[1] (plan/unknown-key)\n  next: Did you mean 'status'?",
        ),
        (
            "[t]\nname = ''\n[[t.replies]]\nheaders = { Retry-After = 1 }",
            "plan/wrong-type",
            4,
            "expected `str`, got `int`",
        ),
        ("t = 1", "plan/wrong-type", 1, "t: expected `object`, got `int`"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, slug: str, line: int, says: str) -> None:
    document = Document(text, "t.toml")
    with pytest.raises(PlanError) as raised:
        document.read(document.tables["t"], Outer, ["t"])
    assert (raised.value.slug, raised.value.where) == (slug, f"t.toml:{line}")
    assert says in str(raised.value)


def test_text_that_is_not_toml() -> None:
    with pytest.raises(PlanError) as raised:
        Document("b = 1\na = =", "t.toml")
    assert (raised.value.slug, raised.value.where) == ("plan/not-toml", "t.toml")
    assert "line 2" in raised.value.message


def test_many_tables_are_located_as_fast_as_few() -> None:
    def took(tables: int) -> float:
        text = "".join(f"[[stub]]\nname = 'a{n}'\nreply = {{}}\n" for n in range(tables))
        document = Document(text, "many.toml")
        assert document.where(["stub", 1]) == "many.toml:4"
        began = time.thread_time()
        for n in range(500):
            document.where(["stub", n])
        return time.thread_time() - began

    took(500)
    assert took(4000) < 4 * took(500) + 0.01

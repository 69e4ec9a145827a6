from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import facts, secret
from harness.errors import UsageError
from harness.evidence import Facts, Part
from harness.secret import Variable, redacted, redacted_fact

Keep = Callable[..., None]


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keep]:
    def kept(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setenv(f"HARNESS_SECRET_{name}", "")  # to be removed with the rest
        secret.keep(Variable(name, f"services.shop.env.{name}", "") for name in values)

    yield kept
    monkeypatch.undo()
    secret.keep([])


def test_without_secrets_texts_stay(keep: Keep) -> None:
    keep()

    assert redacted("anything {env.X}") == "anything {env.X}"


def test_a_secret_is_replaced_by_the_name_of_its_variable(keep: Keep) -> None:
    keep(TOKEN="s3cret-token")

    assert redacted("Bearer s3cret-token!") == "Bearer {env.TOKEN}!"


def test_a_short_value_is_a_part_of_too_many_words(keep: Keep) -> None:
    keep(REGION="eu", FLAG="false", PORT="15432", LONG="123456")

    assert redacted("neutral false 15432 123456") == "neutral false 15432 {env.LONG}"


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_of_a_secret_within_another_the_longer_one_is_found(
    keep: Keep, order: tuple[str, str]
) -> None:
    keep(**{order[0]: "password", order[1]: "password-of-prod"})

    assert redacted("password-of-prod, password") == (f"{{env.{order[1]}}}, {{env.{order[0]}}}")


def test_what_stands_for_a_secret_is_not_searched_again(keep: Keep) -> None:
    keep(A_TOKEN="A_TOKEN", B="env.A_TOKEN")

    assert redacted("A_TOKEN") == "{env.A_TOKEN}"


AWKWARD = "a\"b\\c\n\tü/ö&=+ 'd"


@pytest.mark.parametrize(
    "written",
    [
        AWKWARD, repr(AWKWARD), ascii(AWKWARD), json.dumps(AWKWARD, ensure_ascii=False),
        json.dumps(AWKWARD), "a%22b%5Cc%0A%09%C3%BC%2F%C3%B6%26%3D%2B%20%27d",
        "a%22b%5Cc%0A%09%C3%BC%2F%C3%B6%26%3D%2B+%27d",
        "a%22b%5Cc%0A%09%C3%BC/%C3%B6%26%3D%2B+'d", "a%22b%5cc%0a%09%c3%bc/%c3%b6&=%2b%20'd",
    ],
)  # fmt: skip
def test_a_secret_is_found_as_python_json_and_a_url_write_it(keep: Keep, written: str) -> None:
    keep(TOKEN=AWKWARD)

    assert redacted(f"<{written}>").strip("'\"<>") == "{env.TOKEN}"


@given(value=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=6),
       around=st.text(max_size=3))  # fmt: skip
def test_whatever_a_secret_is_no_fact_has_it(value: str, around: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_SECRET_TOKEN", value)
        secret.keep([])
        text = f"{around}{value}{around}"

        found = json.loads(redacted_fact(json.dumps({"message": text}).encode()))
        plain = json.loads(
            redacted_fact(json.dumps({"message": text}, ensure_ascii=False).encode("utf-8"))
        )

    secret.keep([])
    assert found["message"] == plain["message"]
    assert value not in found["message"].replace("{env.TOKEN}", "")


def test_facts_are_written_without_secrets_and_are_read_all_the_same(
    keep: Keep, tmp_path: Path
) -> None:
    keep(TOKEN='pass"ed\\', WORD="passed", KIND="surprise")
    tested = facts.Tested(
        nodeid="t[passed]", where="t.py:1", outcome="passed", duration_s=0.1, exchanges=1,
        message='it said pass"ed\\ twice', service="passed",
    )  # fmt: skip
    with Part(tmp_path, "functional-inproc") as part:
        part.note(tested, facts.Surprise(slug="stubs/unmatched", message="surprise!", where="t.py"))

    found = Facts.read(tmp_path)
    _, read, surprise, _ = found.part("functional-inproc") or ()

    assert found.unreadable == ()
    assert isinstance(read, facts.Tested)
    assert (read.outcome, read.service, read.nodeid) == ("passed", "passed", "t[{env.WORD}]")
    assert read.message == "it said {env.TOKEN} twice"
    assert isinstance(surprise, facts.Surprise)
    assert surprise.message == "{env.KIND}!"


def test_a_value_stays_what_it_was_when_a_service_sets_the_variable_anew(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(TOKEN="s3cret-token")
    monkeypatch.setenv("TOKEN", "for-tests")

    assert Variable("TOKEN", "a.b", "").value() == "s3cret-token"
    assert redacted("s3cret-token for-tests") == "{env.TOKEN} for-tests"


@pytest.mark.parametrize(("value", "told"), [(None, "not set"), ("", "empty")])
def test_a_variable_that_is_not_there_is_named_with_key_and_line(
    monkeypatch: pytest.MonkeyPatch, value: str | None, told: str
) -> None:
    monkeypatch.setenv("NOWHERE", value or "")
    if value is None:
        monkeypatch.delenv("NOWHERE")

    with pytest.raises(UsageError) as caught:
        Variable("NOWHERE", "services.shop.env.KEY", "harness.toml:4").value()

    assert str(caught.value).startswith(
        f"harness.toml:4: services.shop.env.KEY takes its value from NOWHERE, which is {told}"
    )

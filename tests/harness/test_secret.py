from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import facts, secret
from harness.errors import EvidenceError, UsageError
from harness.evidence import Facts, Part, RunFolder
from harness.plan import Plan
from harness.run import Run
from harness.secret import Variable, redacted, redacted_fact, redacted_start

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
        repr(AWKWARD.encode())[1:], json.dumps(repr(AWKWARD.encode())[2:-1]),
        repr(AWKWARD.encode("latin-1"))[1:],
    ],
)  # fmt: skip
def test_a_secret_is_found_as_python_json_and_a_url_write_it(keep: Keep, written: str) -> None:
    keep(TOKEN=AWKWARD)

    assert redacted(f"<{written}>").strip("'\"<>") == "{env.TOKEN}"


@settings(deadline=None)
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


SECRETS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=6)


@settings(max_examples=50, deadline=None)
@given(value=SECRETS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_of_a_secret_amid_anything_does_not_give_it_away(
    value: str, before: bytes, after: bytes
) -> None:
    texts = [
        encode(before + value.encode() + after).decode()
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    ]
    texts += [quote(texts[0], safe=""), json.dumps(texts[0]).replace("/", "\\/")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_SECRET_TOKEN", value)
        secret.keep([])
        found = [redacted(f"Basic {text}, and so on") for text in texts]

    secret.keep([])
    for text in found:
        start, token, end = text.partition("{env.TOKEN}")
        assert token, text
        # What stays are the bytes beside it, and of its own first and last one a few bits.
        assert len(start) - len("Basic ") <= 3 * (4 * (len(before) + 3) // 3)
        assert end.endswith(", and so on")
        assert len(end) - len(", and so on") <= 3 * (4 * (len(after) + 5) // 3)


@pytest.mark.parametrize(
    "written",
    ["Ym9iOm9wZW4tc2VzYW1l", "b3Blbi1zZXNhbWU=", "eDpvcGVuLXNlc2FtZQ=="],
    ids=["bob:open-sesame", "open-sesame", "x:open-sesame"],
)
def test_a_secret_is_found_in_what_basic_authorization_sends(keep: Keep, written: str) -> None:
    keep(PASSWORD="open-sesame")
    middle = "9wZW4tc2VzYW", "b3Blbi1zZXNhbW", "vcGVuLXNlc2FtZ"

    assert "{env.PASSWORD}" in redacted(written)
    assert not any(one in redacted(written) for one in middle)


@pytest.mark.parametrize(
    "written", ["a&amp;b&lt;c&#39;d/", "a&#x26;b&#x3c;c&#x27;d/", "a\\u0026b\\u003cc\\u0027d\\/"]
)
def test_a_secret_is_found_as_html_writes_it_and_json_that_is_put_there(
    keep: Keep, written: str
) -> None:
    keep(TOKEN="a&b<c'd/")

    assert redacted(f"<{written}>") == "<{env.TOKEN}>"


@settings(deadline=None)
@given(text=st.text(max_size=20), most=st.integers(min_value=0, max_value=30))
def test_a_start_has_no_part_of_a_secret_at_its_end(text: str, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_SECRET_TOKEN", "\u2603\u2603s3cret")
        secret.keep([])
        found = redacted_start(f"{text}\u2603\u2603s3cret{text}", most)

    secret.keep([])
    whole = len(text) + len("\u2603\u2603s3cret") <= most
    assert ("{env.TOKEN}" in found) is whole
    assert "\u2603" not in found or "\u2603" in text


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


def test_many_secrets_cost_a_long_text_without_them_little(keep: Keep) -> None:
    text = "no secret in this line of text\n" * 20_000
    keep(K0="dGhlIHNlY3JldCBrZXk/0")
    redacted(text)
    one = _took(lambda: re.search("(?:t|%74)(?:h|%68)(?:z|%7a)", text))
    keep(**{f"K{n}": f"dGhlIHNlY3JldCBrZXk/{n}-{n}+ü" for n in range(20)})
    redacted(text)

    assert _took(lambda: redacted(text)) < 50 * one


def _took(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        began = time.thread_time()
        work()
        took.append(time.thread_time() - began)
    return min(took)


@pytest.mark.parametrize("value", ["é-ü-ö-ä", "a-b-c-d", "------", "\udcff\udcfe-abc"])
def test_a_secret_with_hardly_a_letter_is_found(keep: Keep, value: str) -> None:
    keep(ODD=value)

    assert redacted(f"it is {value}.") == "it is {env.ODD}."
    assert redacted(json.dumps(f"it is {value}.")) == '"it is {env.ODD}."'


def test_output_that_cannot_be_written_without_its_secrets_is_no_more(
    keep: Keep, tmp_path: Path
) -> None:
    keep(TOKEN="s3cret-token")
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "functional-inproc.log"
    log.write_text("it is s3cret-token")
    (tmp_path / "logs" / f".{log.name}.{os.getpid()}").mkdir()  # so that nothing can be written
    run = Run(Plan(), tmp_path, RunFolder(tmp_path), print, print)

    with pytest.raises(EvidenceError):
        run._redact(log)

    assert not log.exists()


def test_credentials_in_the_queries_of_a_text_are_not_shown() -> None:
    told = "500, url='http://localhost/a?q=1&access_token=abc' and (http://b/?session=x&y=token)"

    assert secret.without_credentials(told) == (
        "500, url='http://localhost/a?q=1&access_token=…' and (http://b/?session=…&y=token)"
    )
    assert secret.without_credentials("is a=b&c?d=e") == "is a=b&c?d=e"

from __future__ import annotations

import pytest

from harness.answer import shown_value, text_of


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Content-Type", "text/html", "text/html"),
        ("Set-Cookie", "session=abc; Path=/; Secure", "session=…; Path=/; Secure"),
        ("X-Api-Key", "abc", "…"),
        ("WWW-Authenticate", "Basic", "Basic"),
        ("Authorization", "Basic abc", "…"),
    ],
)
def test_a_header_is_shown_without_its_credential(name: str, value: str, shown: str) -> None:
    assert shown_value(name, value) == shown


def test_a_body_is_text_where_it_is_text() -> None:
    assert text_of(b"caf\xc3\xa9", 5) == "café"
    assert text_of(b"caf\xc3", 900) == "caf"  # cut within a character
    assert text_of(b"caf\xc3", 4) is None
    assert text_of(b"a\0b", 3) is None

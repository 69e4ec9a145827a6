from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.target import (
    AppPath,
    is_allowed,
    is_loopback,
    parse_targets,
    read_url,
    refuse_foreign,
)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost",
        "app.localhost", "127.0.0.1", "127.255.255.254", "::1", "[::1]", "::1%lo",
        "::ffff:127.0.0.1", "0.0.0.0", "::",
    ],
)  # fmt: skip
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "example.invalid", "localhost.example.invalid", "mylocalhost", ".local", "128.0.0.1",
        "192.0.2.1", "10.0.0.1", "169.254.169.254", "2001:db8::1", "fe80::1%lo",
        "::ffff:192.0.2.1", "127.1", "2130706433", "127.0.0.1.example.invalid",
    ],
)  # fmt: skip
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses())
def test_an_address_is_loopback_or_this_machine_or_neither(address: object) -> None:
    expected = getattr(address, "is_loopback") or getattr(address, "is_unspecified")  # noqa: B009
    mapped = getattr(address, "ipv4_mapped", None)
    assert is_loopback(str(address)) is bool(expected or (mapped and mapped.is_loopback))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("staging.example.invalid", True),
        ("STAGING.example.invalid", True),
        ("example.invalid", False),
        ("a.staging.example.invalid", False),
        ("2001:db8::1", True),
        ("[2001:db8::1]", True),
        ("2001:db8::2", False),
        ("localhost", True),
    ],
)
def test_hosts_are_allowed_by_name(host: str, allowed: bool) -> None:
    assert is_allowed(host, ["Staging.example.invalid", "2001:db8::1"]) is allowed


@pytest.mark.parametrize(
    ("text", "path", "again"),
    [
        ("app", AppPath("app", "app", False), "app:app"),
        ("a.b.c", AppPath("a.b.c", "app", False), "a.b.c:app"),
        ("a:b", AppPath("a", "b", False), "a:b"),
        ("a:b.c", AppPath("a", "b.c", False), "a:b.c"),
        ("a.b:make()", AppPath("a.b", "make", True), "a.b:make()"),
        ("  a:b  ", AppPath("a", "b", False), "a:b"),
    ],
)
def test_an_import_string(text: str, path: AppPath, again: str) -> None:
    assert AppPath.parse(text) == path
    assert str(path) == again
    assert AppPath.parse(again) == path


@pytest.mark.parametrize(
    "text", ["", "a:", ":b", "a:b(1)", "a:b(", "a/b.py:app", "a:b:c", "a-b:c", "a()", "a:b()\nx"]
)
def test_what_is_no_import_string(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        AppPath.parse(text)
    assert raised.value.slug == "target/app-syntax"


def test_targets_are_read_and_all_addresses_are_one_live_target() -> None:
    texts = ["served", "http://127.0.0.1:5000/", "inproc", "back=http://localhost:6000/api"]

    served, live, inproc = parse_targets(texts, "front")

    assert [str(target) for target in (served, live, inproc)] == ["served", "live", "inproc"]
    assert live.url_of("front") == "http://127.0.0.1:5000"
    assert live.url_of("back") == "http://localhost:6000/api"
    assert live.url_of("other") is None


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("live", "target/unknown"),
        ("inprc", "target/unknown"),
        ("", "target/url"),
        ("back=", "target/url"),
        ("127.0.0.1:5000/", "target/url"),
        ("ftp://127.0.0.1/", "target/url"),
        ("http:///path", "target/url"),
    ],
)
def test_what_is_no_target_cannot_be_understood(text: str, slug: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_targets([text], "front")
    assert raised.value.slug == slug


def test_a_foreign_address_is_refused_unless_its_host_is_allowed() -> None:
    refuse_foreign("http://localhost:5000", ())
    refuse_foreign("https://staging.example.org/api", ["staging.example.org"])
    with pytest.raises(UsageError) as raised:
        refuse_foreign("https://staging.example.org/api", ["example.org"])
    assert "--allow-host staging.example.org" in raised.value.next_step


@pytest.mark.parametrize(
    "text",
    ["http://[::1", "http://h:99999", "http://h:x", "http://h:0", "http://h/?a=1", "http://h/#a",
     "http://h/a b", "http://", "//h", "ftp://h"],
)  # fmt: skip
def test_what_is_more_or_less_than_an_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the address"):
        read_url(text)


@pytest.mark.parametrize("text", ["http://[::1]:80", "https://h/base"])
def test_an_address_may_have_a_path(text: str) -> None:
    assert read_url(f"{text}/") == text


def test_an_address_may_be_given_twice() -> None:
    (target,) = parse_targets(["http://h:1", "a=http://h:1/"], "a")

    assert target.urls == (("a", "http://h:1"),)


def test_an_address_with_credentials_is_refused_without_quoting_them() -> None:
    with pytest.raises(UsageError) as raised:
        parse_targets(["http://user:hunter2@127.0.0.1:5000"], "front")
    assert "hunter2" not in str(raised.value)

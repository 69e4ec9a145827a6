from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.routes import NEEDS_TLS, Route, Routes, host_of, place_of

NAMES = st.from_regex(r"\A[a-z]{1,8}(\.[a-z]{2,8}){1,2}\Z").filter(
    lambda name: not name.endswith("localhost")
)


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("API.example.org.", "api.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "localhost"),
        ("::1", "localhost"),
        ("shop.localhost", "localhost"),
        ("", ""),
        ("é" * 64, "é" * 64),  # too long for a name: it is nobody's
    ],
)
def test_a_host_is_one_however_it_is_written(written: str, host: str) -> None:
    assert host_of(written) == host


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("https://api.example.org", ("api.example.org", 443)),
        ("http://api.example.org/", ("api.example.org", 80)),
        ("https://[2001:db8::1]:8443", ("2001:db8::1", 8443)),
    ],
)
def test_an_origin_is_a_host_and_a_port(origin: str, place: tuple[str, int]) -> None:
    assert place_of(origin) == place


@given(st.sets(NAMES, min_size=1, max_size=30))
def test_each_name_has_an_address_of_its_own_by_which_its_routes_are_found(
    names: set[str],
) -> None:
    routes = Routes(
        Route(name, port, to) for to, name in enumerate(sorted(names)) for port in (80, 443)
    )

    addresses = {name: routes.address_of(name) or "" for name in names}

    assert len(set(addresses.values())) == len(names)
    for name, address in addresses.items():
        assert ipaddress.ip_address(address).is_loopback
        assert routes.name_of(address) == name
        assert routes.name_of(f"::ffff:{address}") == name
        assert routes.find(address, 443) == routes.find(name.upper(), 443) != None  # noqa: E711
        assert routes.find(address, 81) is None


@given(NAMES)
def test_a_name_has_the_same_address_in_every_process(name: str) -> None:
    one, other = Routes([Route(name, 80, 1)]), Routes([Route(name, 443, 2, tls=True)])

    assert one.address_of(name) == other.address_of(name)


def test_a_literal_and_this_machine_keep_their_own_addresses() -> None:
    routes = Routes([Route("203.0.113.7", 80, 1), Route("localhost", 9000, 2)])

    assert routes.address_of("203.0.113.7") is routes.address_of("localhost") is None
    assert routes.find("127.0.0.1", 9000) == routes.find("::1", 9000) == routes.all[1]
    assert routes.knows("203.0.113.7")
    assert not routes.knows("localhost")  # its other ports are its own


def test_a_refusal_says_what_there_is() -> None:
    routes = Routes([Route("a.example", 443, 1, tls=True), Route("a.example", 8443, 2, tls=True)])

    assert "port 443 and 8443 only" in routes.why_not("a.example", 80)
    assert NEEDS_TLS in routes.why_not("a.example", 443)
    assert "no stub answers" in routes.why_not("b.example", None)


def test_an_authority_is_handed_over_only_where_a_route_needs_it() -> None:
    asked: list[int] = []

    def authority() -> str:
        asked.append(1)
        return "PEM"

    assert Routes([Route("a.example", 80, 1)], authority).handed_over()[1] == ""
    assert not asked
    assert Routes([Route("a.example", 443, 1, tls=True)], authority).handed_over()[1] == "PEM"

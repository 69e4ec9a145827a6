from __future__ import annotations

import pytest
from yarl import URL

from harness.load.address import Addresses, ForeignHostError


@pytest.mark.parametrize(
    ("url", "goes_to"),
    [
        ("/things?full=1", "http://127.0.0.1:8000/api/things?full=1"),
        ("things", "http://127.0.0.1:8000/api/things"),
        ("/a%20b/%2F", "http://127.0.0.1:8000/api/a%20b/%2F"),
        ("http://127.0.0.1:8000/api/x", "http://127.0.0.1:8000/api/x"),
        ("http://localhost:5000/x?y=1#z", "http://127.0.0.1:8000/api/x?y=1#z"),
        ("ws://localhost:5000/x", "http://127.0.0.1:8000/api/x"),
        ("http://localhost:9999/token", "http://localhost:9999/token"),
        ("https://staging.example.org/x", "https://staging.example.org/x"),
    ],
)
def test_a_url_goes_to_the_target_or_to_an_allowed_host(url: str, goes_to: str) -> None:
    addresses = Addresses(
        "http://127.0.0.1:8000/api",
        rebase=["http://localhost:5000"],
        allow_hosts=["staging.example.org"],
    )

    assert str(addresses.resolve(URL(url))) == goes_to


@pytest.mark.parametrize("url", ["http://example.org/", "https://10.0.0.1:80/", "ws://example.org"])
def test_any_other_url_is_refused_with_what_to_type(url: str) -> None:
    with pytest.raises(ForeignHostError) as caught:
        Addresses("http://127.0.0.1:8000").resolve(URL(url))

    assert caught.value.exit_code == 64
    assert url.rstrip("/") in caught.value.message
    assert "--allow-host" in caught.value.next_step
    assert "--rebase http" in caught.value.next_step


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/", "GET /"),
        ("/things/17", "GET /things/{}"),
        ("/things/17/parts/4?x=1", "GET /things/{}/parts/{}"),
        ("/users/6fa459ea-ee8a-3ca4-894e-db77e160355e", "GET /users/{}"),
        ("/commits/3ef2289a", "GET /commits/{}"),
        ("/commits/deadbeef", "GET /commits/deadbeef"),
        ("/v2/v3a", "GET /v2/v3a"),
        ("/a%0Ab/ü", "GET /a%0Ab/%C3%BC"),
        ("/ü", "GET /ü"),
    ],
)
def test_a_step_is_named_without_what_differs_from_visit_to_visit(path: str, named: str) -> None:
    assert Addresses("http://a").step("get", URL(f"http://a{path}")) == named


def test_a_step_is_named_below_the_targets_own_path() -> None:
    addresses = Addresses("http://localhost/data/")

    assert addresses.step("GET", addresses.resolve(URL("/things/1"))) == "GET /things/{}"


def test_the_first_template_that_matches_names_a_step_before_the_rule_for_numbers_does() -> None:
    steps = ["/users/me", "POST /users/{name}", "/users/{id}", "/files/{name:path}"]
    addresses = Addresses("http://a/api", steps=steps)

    def named(method: str, path: str) -> str:
        return addresses.step(method, URL(f"http://a/api{path}"))

    assert named("get", "/users/me") == "GET /users/me"
    assert named("post", "/users/ada") == "POST /users/{name}"
    assert named("get", "/users/ada?x=1") == "GET /users/{id}"
    assert named("get", "/files/a/b%20c") == "GET /files/{name:path}"
    assert named("get", "/orders/17") == "GET /orders/{}"

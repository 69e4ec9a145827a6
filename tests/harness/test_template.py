from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.template import Template


@pytest.mark.parametrize(
    ("template", "path", "matches"),
    [
        ("/users/{id}", "/users/ada", True),
        ("/users/{id}", "/users/ada/orders", False),
        ("/users/{id}", "/users/", False),
        ("/users/{id}", "/users", False),
        ("/users/{}", "/users/7", True),
        ("/orders/{id}/items/{item}", "/orders/a-1/items/b 2", True),
        ("/v{version}/x.{kind}", "/v2/x.json", True),
        ("/v{version}/x.{kind}", "/v2/xyjson", False),
        ("/files/{name:path}", "/files/a/b/c.txt", True),
        ("/files/{name:path}", "/files/", False),
        ("GET /users/{id}", "/users/7", True),
        ("POST /users/{id}", "/users/7", False),
        ("/", "/", True),
    ],
)
def test_a_name_in_braces_stands_for_one_part_of_a_path(
    template: str, path: str, matches: bool
) -> None:
    assert Template.parse(template).matches("GET", path) is matches


@pytest.mark.parametrize(
    "text", ["", "users/{id}", "/users/{id", "/users/id}", "/a b", "get /users", "/users?x=1",
             "/{a-b}", "/{a:int}", "/a\n", "http://shop.example/users", "/a#b"],
)  # fmt: skip
def test_what_is_no_template_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template.parse(text)

    assert caught.value.slug == "load/step-template"
    assert repr(text) in caught.value.message
    assert "/users/{id}" in caught.value.next_step


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"])))
def test_a_path_without_braces_matches_itself_and_nothing_else(text: str) -> None:
    path = "/" + "".join(c for c in text if c not in "{}?#")
    template = Template.parse(path)

    assert template.matches("GET", path)
    assert not template.matches("GET", path + "x")

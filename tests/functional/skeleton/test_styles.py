"""The same service in other styles of test: synchronous with WebTest, and unittest's classes."""

from __future__ import annotations

import unittest
from typing import TYPE_CHECKING

import pytest
from quart.testing import QuartClient

if TYPE_CHECKING:
    from webtest import TestApp

ADA = {"user": "ada", "password": "correct horse battery staple"}


def test_who_signed_in_is_remembered(webtest: TestApp) -> None:
    webtest.post_json("/session", ADA, status=201)

    assert webtest.get("/session").json == {"user": "ada", "visits": 1}


class TestPages(unittest.IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def _target(self, client: QuartClient) -> None:
        self.client = client

    async def test_the_page_greets_by_name(self) -> None:
        response = await self.client.get("/hello/Ada")

        assert "<h1>Hello, Ada!</h1>" in await response.get_data(as_text=True)

"""A service over https: trusted within its run by whatever calls it, and by nobody afterwards."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import certifi
import pytest
import pytest_asyncio
import requests

from harness.errors import UsageError
from harness.manifest import parse_plan
from harness.rig import rigged
from harness.targets.client import Client, Exchanges
from harness.targets.inproc import Inproc
from harness.targets.served import Served

from . import apps

PLAN = """
[services.shop]
app = "apps:secure"
tls = true

[services.plain]
app = "apps:shop()"
"""


@pytest_asyncio.fixture(loop_scope="session")
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a service while its rig stands."""
    with rigged(parse_plan(PLAN, "harness.toml"), tmp_path, tmp_path) as rig:
        async with Served(apps.secure, "shop", rig.ports["shop"]):
            assert rig.ports["plain"].url.startswith("http://")
            yield rig.addresses["shop.url"]


async def test_aiohttp_trusts_it(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.text() == "https"


async def test_requests_and_urllib_trust_it(url: str) -> None:
    assert (await asyncio.to_thread(requests.get, url, timeout=5)).text == "https"
    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=5) as response:
        assert response.read() == b"https"


async def test_it_is_also_localhost(url: str) -> None:
    named = url.replace("127.0.0.1", "localhost")

    assert (await asyncio.to_thread(requests.get, named, timeout=5)).text == "https"


async def test_a_child_process_trusts_it(url: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, url, stdout=subprocess.PIPE
    )
    output, _ = await child.communicate()

    assert output.decode().split() == ["https", "https"]


CHILD = """
import asyncio, sys, aiohttp, requests

async def get():
    async with aiohttp.ClientSession() as session, session.get(sys.argv[1]) as response:
        return await response.text()

print(asyncio.run(get()), requests.get(sys.argv[1], timeout=5).text)
"""


async def test_a_client_that_does_not_know_the_authority_refuses(url: str) -> None:
    others = ssl.create_default_context(cafile=certifi.where())

    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url, ssl=others)
    with pytest.raises(requests.exceptions.SSLError):
        await asyncio.to_thread(requests.get, url, timeout=5, verify=certifi.where())


async def test_who_was_trusted_before_still_is(url: str) -> None:
    found = {str(root["subject"]) for root in roots(os.environ["SSL_CERT_FILE"])}

    assert {str(root["subject"]) for root in roots(certifi.where())} <= found


def roots(file: str) -> list[dict[str, object]]:
    return ssl.create_default_context(cafile=file).get_ca_certs()  # type: ignore[return-value]  # without binary_form


def test_afterwards_nothing_of_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = aiohttp.connector._SSL_CONTEXT_VERIFIED

    with rigged(parse_plan(PLAN, "harness.toml"), tmp_path, tmp_path):
        assert list(tmp_path.iterdir())
        assert aiohttp.connector._SSL_CONTEXT_VERIFIED is not context

    assert list(tmp_path.iterdir()) == []
    assert aiohttp.connector._SSL_CONTEXT_VERIFIED is context
    assert os.environ["REQUESTS_CA_BUNDLE"] == certifi.where()
    assert "SSL_CERT_FILE" not in os.environ


def test_without_trustme_the_line_to_type_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)

    with (
        pytest.raises(UsageError, match=r"pip install 'quart-harness\[tls\]'"),
        rigged(parse_plan(PLAN, "harness.toml"), tmp_path, tmp_path),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


async def test_the_tests_own_client_speaks_it_also_on_websockets(tmp_path: Path) -> None:
    with rigged(parse_plan(PLAN, "harness.toml"), tmp_path, tmp_path) as rig:
        async with Served(apps.shop(), "shop", rig.ports["shop"]) as service:
            client = Client(service, Exchanges())
            assert (await client.get("/started")).status_code == 200
            async with client.websocket("/ws") as socket:
                await socket.send("hello")
                assert await socket.receive() == "you said hello"


async def test_in_process_requests_look_as_if_they_had_come_over_it() -> None:
    async with Inproc(apps.secure, "shop", tls=True) as service:
        response = await Client(service, Exchanges()).get("/")

    assert await response.get_data(as_text=True) == "https"

"""Users in each database; PostgreSQL where TEST_POSTGRES_URL names a server (and no file)."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from quart import Quart
from sqlalchemy import make_url
from werkzeug.exceptions import Conflict, ServiceUnavailable

from fixtures.jeeves.dataservice.store import Store

SERVER = os.environ.get("TEST_POSTGRES_URL", "")
HERE = pytest.mark.skipif(not SERVER, reason="TEST_POSTGRES_URL is not set")
ADA = {"slack_id": "U123", "name": "Ada", "email": "", "location": "", "config": {"a": [1, "\0"]}}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=HERE)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database of this test's own."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/users.db"
        return
    name = f"dataservice_{uuid4().hex}"
    await on_server(f"CREATE DATABASE {name}")
    yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    await on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    await store.open()
    async with Quart(__name__).app_context():
        yield store
    await store.close()


async def on_server(statement: str) -> None:
    server = make_url(SERVER).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_however_many_start_at_once_there_is_one_table_and_it_stays(url: str) -> None:
    stores = [Store(url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    made = await stores[0].add(ADA)
    await stores[1].open()
    found = await stores[2].find(made.id)
    for store in stores:
        await store.close()

    assert found == made


async def test_a_user_comes_back_as_it_went_in(store: Store) -> None:
    made = await store.add(ADA)

    assert made._asdict() == {**ADA, "id": made.id, "version": made.version}
    assert await store.find(made.id) == made
    assert await store.page(10, 0) == [made]
    assert await store.find(made.id + 1) is None


async def test_a_slack_id_is_one_users_only_however_many_try_at_once(store: Store) -> None:
    tried = await asyncio.gather(*(store.add(ADA) for _ in range(8)), return_exceptions=True)

    assert sorted(type(result).__name__ for result in tried) == 7 * ["Conflict"] + ["User"]
    assert len(await store.page(10, 0)) == 1


async def test_a_taken_slack_id_changes_nothing(store: Store) -> None:
    await store.add(ADA)
    other = await store.add({**ADA, "slack_id": "U124"})
    with pytest.raises(Conflict):
        await store.change(other.id, {"slack_id": "U123"}, None)

    assert await store.find(other.id) == other


async def test_of_many_who_saw_one_version_one_changes_it(store: Store) -> None:
    made = await store.add(ADA)
    changes: list[dict[str, Any]] = [{"name": str(number)} for number in range(8)]
    done = await asyncio.gather(*(store.change(made.id, each, [made.version]) for each in changes))
    (won,) = [user for user in done if user]

    assert await store.find(made.id) == won
    assert won.version != made.version


async def test_a_version_is_not_given_twice_not_even_in_another_database(store: Store) -> None:
    made = await store.add(ADA)
    changed = [await store.change(made.id, {"name": "Ada"}, None) for _ in range(3)]
    versions = {user.version for user in changed if user}

    assert len(versions | {made.version, 1, 2, 3, 4}) == 8


@pytest.mark.parametrize(
    ("versions", "gone"), [(None, True), ([0, 7], True), ([7], False), ([], False)]
)
async def test_only_a_version_that_is_expected_is_removed(
    store: Store, versions: list[int] | None, gone: bool
) -> None:
    made = await store.add(ADA)

    expected = versions and [each or made.version for each in versions]

    assert await store.remove(made.id, expected) is gone
    assert (await store.find(made.id) is None) is gone
    assert not await store.remove(made.id + 1, versions)


async def test_an_id_is_not_given_twice(store: Store) -> None:
    made = await store.add(ADA)
    await store.remove(made.id, None)

    assert (await store.add(ADA)).id > made.id


@HERE
async def test_connections_that_the_server_closed_are_opened_again(store: Store, url: str) -> None:
    if "postgresql" not in url:
        pytest.skip("SQLite has no server")
    made = await store.add(ADA)
    name = make_url(url).database
    await on_server(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )

    assert await store.find(made.id) == made


@HERE
async def test_a_database_that_is_gone_is_unavailable(store: Store, url: str) -> None:
    if "postgresql" not in url:
        pytest.skip("SQLite has no server")
    await on_server(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    with pytest.raises(ServiceUnavailable):
        await store.find(1)


async def test_nobody_listening_is_unavailable() -> None:
    store = Store("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    async with Quart(__name__).app_context():
        with pytest.raises(ServiceUnavailable):
            await store.find(1)
    await store.close()

"""`tapefold keys create`, and a database started for the moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from ops.home import Home
from ops.postgres import remove_database
from ops.postgres.place import find_place
from ops.postgres.postmaster import find_postmaster
from tests.support.cli import Cli


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Cli]:
    """A home with a database of its own, which is removed in the end."""
    cli = Cli(tmp_path / "home")
    yield cli
    if cli.home.exists():
        home = Home.open(cli.home)
        place = find_place(home)
        survivor = None if place is None else find_postmaster(place.data)
        if survivor is not None:
            survivor.stop_now()
        remove_database(home)


async def status(url: str, key: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/agents", headers={"X-API-Key": key}) as answer,
    ):
        return answer.status


async def test_a_key_is_made_before_and_beside_the_daemon(embedded: Cli) -> None:
    """The key stands alone on stdout and opens the API, made on an empty home or beside a running daemon.

    On an empty home the database that the command started is stopped again.
    """
    before = await embedded.run("keys", "create", "--name", "before", "--scope", "read")
    assert (before.code, before.err) == (0, "")
    place = find_place(Home.open(embedded.home))
    assert place is not None
    assert find_postmaster(place.data) is None
    async with embedded.up() as url:
        beside = await embedded.run(
            "keys", "create", "--name", "beside", "--scope", "read", "--scope", "trade"
        )
        assert (beside.code, beside.err) == (0, "")
        assert before.out != beside.out
        for said in (before, beside):
            assert said.out.startswith("tf_")
            assert said.out.split() == [said.out.rstrip("\n")]
            assert await status(url, said.out.strip()) == 200
        assert await status(url, "tf_nobody-has-ever-made-this-key-1") == 401


async def test_a_key_is_stored_as_its_hash_and_bound_to_its_owner(tmp_path: Path, database_url: str) -> None:
    """The database holds owner and scopes as they were given, and nothing from which the key follows."""
    cli = Cli(tmp_path / "home", database_url)
    said = await cli.run(
        "keys", "create", "--name", "a", "--scope", "signals", "--scope", "read", "--owner", "ada"
    )
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow("SELECT owner, scopes, k::text AS all FROM identity.api_keys k")
    finally:
        await connection.close()
    assert row is not None
    assert (row["owner"], row["scopes"]) == ("ada", ["read", "signals"])
    assert said.out.strip() not in row["all"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "a", "--scope", "write"), "--scope 'write': must be one of read, signals, prices"),
        (("--name", " ", "--scope", "read"), "--name must be 1 to 100"),
        (("--name", "a", "--scope", "read", "--owner", "a\nb"), "--owner must be 1 to 100"),
        (("--name", "a", "--scope", "read", "--owner", "tapefold"), "--owner 'tapefold' is reserved"),
    ],
)
async def test_a_wrong_key_is_one_line(
    tmp_path: Path, database_url: str, arguments: tuple[str, ...], says: str
) -> None:
    """A wrong scope, name or owner makes no key and says in one line which it is."""
    said = await Cli(tmp_path / "home", database_url).run("keys", "create", *arguments)
    assert (said.code, said.out) == (1, "")
    assert says in said.one_line()


async def test_a_missing_option_is_an_error_of_usage(tmp_path: Path) -> None:
    """What the command line itself refuses ends with 2, before any database is looked for."""
    said = await Cli(tmp_path / "home").run("keys", "create", "--name", "a")
    assert said.code == 2
    assert "--scope" in said.err
    assert not (tmp_path / "home").exists()

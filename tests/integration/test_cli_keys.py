"""`tapefold keys`, and a database started for the moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from ops.beginning import ADMIN_KEY_NAME
from ops.home import Home
from ops.postgres import remove_database
from ops.postgres.place import find_place
from ops.postgres.postmaster import find_postmaster
from tests.support.cli import Cli

SOME_ID = "00000000-0000-4000-8000-000000000000"


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

    On an empty home it has to be asked for; the database that the command started is stopped again. The start
    makes an admin key, since there is none.
    """
    before = await embedded.run("keys", "create", "--create", "--name", "before", "--scope", "read")
    assert (before.code, before.err) == (0, "")
    place = find_place(Home.open(embedded.home))
    assert place is not None
    assert find_postmaster(place.data) is None
    async with embedded.up() as url:
        assert await status(url, (embedded.home / ADMIN_KEY_NAME).read_text().strip()) == 200
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
    assert (said.code, said.out) == (2, "")
    assert says in said.one_line()


@pytest.mark.parametrize(
    "arguments", [("create", "--name", "a", "--scope", "read"), ("list",), ("revoke", SOME_ID)]
)
async def test_a_mistyped_home_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """No command about keys makes a home by itself: it names the missing one, and how to make it."""
    said = await Cli(tmp_path / "typo").run("keys", *arguments)
    assert (said.code, said.out) == (1, "")
    assert f"no Tapefold home at {tmp_path / 'typo'}" in said.one_line()
    assert f"tapefold up --home {tmp_path / 'typo'}" in said.one_line()
    assert ("--create" in said.err) is (arguments[0] == "create")
    assert not (tmp_path / "typo").exists()


async def test_keys_are_listed_without_what_opens(tmp_path: Path, database_url: str) -> None:
    """The list names every key with owner, scopes and times, as text and as JSON, and no key."""
    cli = Cli(tmp_path / "home", database_url)
    assert "no keys" in (await cli.run("keys", "list")).out
    made = (
        await cli.run("keys", "create", "--name", "a bot", "--scope", "signals", "--owner", "ada")
    ).out.strip()
    (row,) = json.loads((await cli.run("keys", "list", "--json")).out)
    assert (row["name"], row["owner"], row["scopes"]) == ("a bot", "ada", ["signals"])
    assert row["createdAt"].endswith("Z")
    assert (row["lastUsedAt"], row["revokedAt"]) == (None, None)
    said = await cli.run("keys", "list")
    for part in (row["id"], "a bot", "ada", "signals", row["createdAt"], "unknown", "no"):
        assert part in said.out
    assert made not in said.out
    assert made[3:] not in json.dumps(row)


async def test_a_revoked_key_is_refused_at_once(tmp_path: Path, database_url: str) -> None:
    """A running daemon that has just taken a key hears that it is revoked, and takes others on."""
    cli = Cli(tmp_path / "home", database_url)
    made = (await cli.run("keys", "create", "--name", "a", "--scope", "read")).out.strip()
    async with cli.up() as url:
        admin = (cli.home / ADMIN_KEY_NAME).read_text().strip()
        assert await status(url, made) == 200
        rows = json.loads((await cli.run("keys", "list", "--json")).out)
        (key,) = (row for row in rows if row["name"] == "a")
        assert key["lastUsedAt"] is not None
        assert await status(url, made) == 200  # remembered
        said = await cli.run("keys", "revoke", key["id"])
        assert (said.code, said.err) == (0, "")
        assert key["id"] in said.out
        assert await status(url, made) == 401
        assert await status(url, admin) == 200
    again = await cli.run("keys", "revoke", key["id"])
    assert again.code == 0
    assert "was revoked already" in again.out


async def test_the_last_admin_key_is_made_anew(tmp_path: Path, database_url: str) -> None:
    """Who revokes the last admin key is told so, and the next start makes another."""
    cli = Cli(tmp_path / "home", database_url)
    async with cli.up():
        first = (cli.home / ADMIN_KEY_NAME).read_text().strip()
    (key,) = json.loads((await cli.run("keys", "list", "--json")).out)
    assert "no admin key is left" in (await cli.run("keys", "revoke", key["id"])).err
    async with cli.up() as url:
        assert await status(url, first) == 401
        assert await status(url, (cli.home / ADMIN_KEY_NAME).read_text().strip()) == 200


async def test_what_is_not_there_cannot_be_revoked(tmp_path: Path, database_url: str) -> None:
    """An id that no key has ends with 1, and what is no id with 2, each in one line."""
    cli = Cli(tmp_path / "home", database_url)
    said = await cli.run("keys", "revoke", SOME_ID)
    assert (said.code, said.out) == (1, "")
    assert f"no key has the id {SOME_ID}" in said.one_line()
    said = await cli.run("keys", "revoke", "tf_abc")
    assert (said.code, said.out) == (2, "")
    assert "is no id" in said.one_line()


async def test_a_missing_option_is_an_error_of_usage(tmp_path: Path) -> None:
    """What the command line itself refuses ends with 2, before any database is looked for."""
    said = await Cli(tmp_path / "home").run("keys", "create", "--name", "a")
    assert said.code == 2
    assert "--scope" in said.err
    assert not (tmp_path / "home").exists()

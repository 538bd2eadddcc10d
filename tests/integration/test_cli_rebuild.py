"""`tapefold rebuild`, and the lines in which every command says what is wrong with its surroundings."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from ops.home import Home
from tests.support.cli import Cli
from tests.support.client import Client
from tests.support.served import Served, trading


async def test_rows_that_differ_are_listed_and_mended(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """A check is refused while a trader runs, a rebuild is not; a changed row is found with 1, and mended."""
    cli = Cli(tmp_path / "home", database_url)
    trader = await trading(admin)
    await trader.buy()
    refused = await cli.run("rebuild", "--check")
    assert (refused.code, refused.out) == (1, "")
    assert "the daemon must be stopped for this: tape 0 is held by trader" in refused.one_line()
    assert (await cli.run("rebuild")).code == 0
    await trader.buy()
    await served.stop()
    assert await cli.run("rebuild", "--check") == (0, "the same: every stored row equals a fresh fold\n", "")

    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE read.positions SET realized_pnl = 7")
    finally:
        await connection.close()
    found = await cli.run("rebuild", "--check")
    assert found.code == 1
    assert "realized_pnl is 7, in a fresh fold 0" in found.out
    assert "1 differences" in found.one_line()
    rebuilt = await cli.run("rebuild")
    assert (rebuilt.code, rebuilt.err) == (0, "")
    assert rebuilt.out.startswith("rebuilt: ")
    assert (await cli.run("rebuild", "--check")).code == 0


async def test_read_models_of_no_version_cannot_be_compared(tmp_path: Path, database_url: str) -> None:
    """Before the first fold there is nothing to compare, and the line says how to make it."""
    said = await Cli(tmp_path / "home", database_url).run("rebuild", "--check")
    assert said.code == 1
    assert "make them with `tapefold rebuild`" in said.one_line()


@pytest.mark.parametrize(
    "arguments", [("rebuild",), ("halted",), ("why", "00000000-0000-4000-8000-000000000000"), ("verify",)]
)
async def test_a_command_that_asks_makes_no_home(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Without a home there is nothing to ask: one line says how to make one, and none is made."""
    said = await Cli(tmp_path / "home").run(*arguments)
    assert said.code == (2 if arguments == ("verify",) else 1)
    assert "there is no Tapefold home at" in said.one_line()
    assert not (tmp_path / "home").exists()


async def test_a_home_in_use_of_a_newer_version_or_in_the_way_is_one_line(tmp_path: Path) -> None:
    """Whatever is wrong with the home, each command says it in one line and ends with 1."""
    newer = tmp_path / "newer"
    Home.open(newer)
    (newer / "home.json").write_text(json.dumps({"version": 99}))
    assert "newer Tapefold" in (await Cli(newer).run("halted")).one_line()

    (tmp_path / "file").write_text("")
    said = await Cli(tmp_path / "file").run("keys", "create", "--name", "a", "--scope", "read")
    assert "a file is in the way" in said.one_line()
    assert said.code == 1

    used = Home.open(tmp_path / "used")
    used.remember_database(tmp_path / "used" / "postgres")
    with used.lock("tapefold up"):
        said = await Cli(used.path).run("rebuild", "--check")
    assert "is in use by process" in said.one_line()
    assert "(tapefold up)" in said.one_line()


async def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    """A setting of the environment that cannot be is named, and no value shown that may be secret."""
    said = await Cli(tmp_path / "home", "mysql://me:a-secret@host/x").run("halted")
    assert said.code == 1
    assert said.one_line() == "TAPEFOLD_DATABASE_URL: must begin with postgresql://"

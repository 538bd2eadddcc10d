"""A wrong `TAPEFOLD_DATABASE_URL` stops any command with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Cli

SETTING = "TAPEFOLD_DATABASE_URL: "


@pytest.mark.parametrize("command", [("halted",), ("up", "--port", "0")], ids=["halted", "up"])
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:a-secret@127.0.0.1:1/x", "name a host and port"),
        ("postgresql://u:a-secret@[::1]:1/x", "name a host and port"),
        ("postgresql://u:a-secret@nowhere.invalid/x", "name a host that exists"),
    ],
)
async def test_a_database_that_is_not_there_is_one_line(
    tmp_path: Path, command: tuple[str, ...], url: str, says: str
) -> None:
    """Where nothing answers, the line names the setting and what would be right, and not the password."""
    said = await Cli(tmp_path / "home", url).run(*command)
    assert (said.code, said.out) == (1, "")
    assert said.one_line().startswith(SETTING)
    assert says in said.one_line()
    assert "secret" not in said.err


@pytest.mark.parametrize("command", [("halted",), ("up", "--port", "0")], ids=["halted", "up"])
async def test_a_database_that_does_not_exist_is_one_line(
    tmp_path: Path, database_url: str, command: tuple[str, ...]
) -> None:
    """A server without the database that is named is told apart, with what would be right."""
    name = database_url.partition("?")[0].rpartition("/")[2]
    said = await Cli(tmp_path / "home", database_url.replace(f"/{name}", "/tapefold_nowhere", 1)).run(
        *command
    )
    assert said.code == 1
    assert said.one_line().startswith(SETTING)
    assert "create it, or name another" in said.one_line()

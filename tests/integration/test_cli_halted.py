"""`tapefold halted`: an input that nobody can read stops a real daemon, and an operator lets it go on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from daemon.settings import Settings
from ops.installation import open_installation
from tests.support.cli import Cli, Said

SIGNAL = {"tokenAddress": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "action": "buy", "score": 4}
SECONDS_MAX = 20


async def put_on_the_tape(url: str, *inputs: bytes) -> None:
    """Append bytes as another process would."""
    async with AsyncExitStack() as stack:
        installation = await open_installation(Settings(), url, stack, "tapefold test")
        await installation.log.append(0, inputs)


async def said_once_halted(cli: Cli) -> Said:
    """What `tapefold halted` says as soon as the daemon has told that it stands still."""
    async with asyncio.timeout(SECONDS_MAX):
        while (said := await cli.run("halted")).out == "nothing stands still\n":
            await asyncio.sleep(0)
    return said


async def test_an_unreadable_input_halts_the_trader_and_a_drop_frees_it(
    tmp_path: Path, database_url: str
) -> None:
    """The halt is shown with offset and error; dropped with a reason, the inputs behind it are decided.

    The tape is sound again then, although it holds bytes that nobody can read.
    """
    cli = Cli(tmp_path / "home", database_url)
    async with cli.up() as url, aiohttp.ClientSession() as session:
        assert await cli.run("halted") == (0, "nothing stands still\n", "")
        await put_on_the_tape(database_url, b"no input of ours")
        said = await said_once_halted(cli)
        assert said.code == 0
        assert said.out.splitlines()[1].split()[:3] == ["trader", "0", "0"]
        assert "tape offset 0" in said.out.splitlines()[1]
        assert "tapefold halted drop 0 --reason WHY" in said.out
        key = (await cli.run("keys", "create", "--name", "a", "--scope", "admin")).out.strip()
        headers = {"X-API-Key": key}
        async with session.post(f"{url}/api/v1/trading-signals", json=SIGNAL, headers=headers) as waits:
            assert waits.status == 202
        assert (await cli.run("verify")).code == 2

        dropped = await cli.run("halted", "drop", "0", "--reason", "sent by a broken tool")
        assert (dropped.code, dropped.err) == (0, "")
        assert dropped.out.startswith("dropped: the trader has skipped tape offset 0")
        async with session.post(f"{url}/api/v1/trading-signals", json=SIGNAL, headers=headers) as goes_on:
            assert goes_on.status == 201
        assert (await cli.run("verify")).code == 0
        assert await cli.run("halted") == (0, "nothing stands still\n", "")
    assert (await cli.run("rebuild", "--check")).code == 0


async def test_only_what_the_trader_stands_at_can_be_dropped(tmp_path: Path, database_url: str) -> None:
    """An offset further on, or one that the tape does not hold, is refused; so is a drop without a reason."""
    cli = Cli(tmp_path / "home", database_url)
    async with cli.up():
        pass
    await put_on_the_tape(database_url, b"first", b"second")
    for offset, reason, says in (
        ("1", "why", "does not stand at tape offset 1 of tape 0, but at 0"),
        ("7", "why", "there is no tape offset 7 of tape 0: the tape ends at 1"),
        ("0", " ", "--reason: must be 1 to 500 printable characters"),
        ("0", "a\x1b[2Jb", "--reason: must be 1 to 500 printable characters"),
    ):
        said = await cli.run("halted", "drop", offset, "--reason", reason)
        assert (said.code, said.out) == (2 if says.startswith("--reason") else 1, "")
        assert says in said.one_line()
    said = await cli.run("halted", "drop", "0", "--reason", "why", "--tape", "3")
    assert "--tape 3: there are 1 tapes" in said.one_line()


async def test_a_drop_is_kept_for_a_daemon_that_does_not_run(tmp_path: Path, database_url: str) -> None:
    """Recorded while nobody trades, it is taken by the next start; dropping that offset again is refused."""
    cli = Cli(tmp_path / "home", database_url)
    await put_on_the_tape(database_url, b"no input of ours")
    said = await cli.run("halted", "drop", "0", "--reason", "why")
    assert said.code == 0
    assert said.out.startswith("recorded at tape offset 1: ")
    async with cli.up():
        assert (await cli.run("verify")).code == 0
    again = await cli.run("halted", "drop", "0", "--reason", "why")
    assert "tape offset 0 of tape 0 is decided already: the trader has reached 1" in again.one_line()

"""`tapefold verify` on a journal that a daemon wrote, sound and broken in every way we know."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from daemon.records import BrokenChain
from daemon.settings import Settings
from ops.cli.verify import verify
from tests.support.cli import Cli
from tests.support.client import Client
from tests.support.served import Served, trading

RECORDS = 4
"""An agent, a deposit and two signals; the price between decides nothing and has no entry."""


STRONGER = """UPDATE tape.entries SET data = replace(data, '"strength":4', '"strength":5')"""


async def alter(url: str, statement: str) -> None:
    """Do to the tables what nobody may."""
    connection = await asyncpg.connect(url)
    try:
        assert await connection.execute(statement) in {"UPDATE 1", "DELETE 1"}
    finally:
        await connection.close()


@pytest.fixture
async def journal(served: Served, admin: Client, database_url: str, tmp_path: Path) -> Cli:
    """A daemon that has traded and runs on."""
    agent = await trading(admin)
    await agent.buy()
    await agent.buy()
    return Cli(tmp_path / "home", database_url)


async def test_a_sound_journal_ends_with_0(journal: Cli, served: Served) -> None:
    """Beside a running daemon, records, entries and the head's hash are told on stdout, and nothing else."""
    said = await journal.run("verify")
    assert (said.code, said.err) == (0, "")
    reached = (await served.daemon.installation.log.head(0)).reached
    told, verdict = said.out.splitlines()
    assert told.startswith(
        f"tape 0: {RECORDS} records, {RECORDS} entries, {reached + 1} inputs, reached {reached}, head "
    )
    assert len(told.split()[-1]) == 64
    assert verdict == "sound"


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        # One byte: strength 4 becomes 5. The next record names the hash of what stood there.
        (
            f"""{STRONGER} WHERE "offset" = 2""",
            "journal offset 3: names",
        ),
        # No record follows the last; the read models were folded from another one.
        (
            f"""{STRONGER} WHERE "offset" = 3""",
            "journal offset 3: has the hash",
        ),
        ("""DELETE FROM tape.entries WHERE "offset" = 1""", "journal offset 1: is missing"),
        ("""DELETE FROM tape.entries WHERE "offset" = 3""", "journal offset 3: is missing"),
        ("""DELETE FROM tape.inputs WHERE "offset" = 1""", "tape offset 1: is missing"),
        ("UPDATE tape.heads SET next_offset = 2", "tape offset 2: the tape ends before it"),
        ("UPDATE tape.journal_heads SET reached = 2", "the journal says that it has reached 2 only"),
        # The last entry and all that tells of it: only the input remains, without what it must have.
        (
            """WITH gone AS (DELETE FROM tape.entries WHERE "offset" = 3),
            unsaid AS (DELETE FROM read.progress) UPDATE tape.journal_heads SET next_offset = 3""",
            "tape offset 4: HandleSignal has no entry",
        ),
    ],
)
async def test_a_broken_journal_is_found(
    journal: Cli, served: Served, database_url: str, statement: str, where: str
) -> None:
    """A changed byte, a lost record and a head that lies are found, with the place."""
    await served.stop()
    await alter(database_url, statement)
    with pytest.raises(BrokenChain) as found:
        await verify(Settings(database_url=database_url))
    assert where in str(found.value)


async def test_a_broken_journal_ends_with_1(journal: Cli, served: Served, database_url: str) -> None:
    """The place goes to stderr in one line, nothing to stdout."""
    await served.stop()
    await alter(database_url, f"""{STRONGER} WHERE "offset" = 2""")
    said = await journal.run("verify")
    assert (said.code, said.out) == (1, "")
    assert said.one_line().startswith("broken: journal offset 3: names")


@pytest.mark.parametrize(("table", "where"), [("entries", "journal offset 1"), ("inputs", "tape offset 1")])
async def test_an_undecodable_record_ends_with_2(
    journal: Cli, served: Served, database_url: str, table: str, where: str
) -> None:
    """Bytes that are no record of ours are unreadable, which is another thing than broken."""
    await served.stop()
    await alter(database_url, f"""UPDATE tape.{table} SET data = left(data, 20) WHERE "offset" = 1""")
    said = await journal.run("verify")
    assert (said.code, said.out) == (2, "")
    assert said.one_line().startswith(f"unreadable: {where}: ")


async def test_a_database_that_cannot_be_reached_ends_with_2(tmp_path: Path) -> None:
    """No database, no verdict: one line and 2, and the line does not hold the password."""
    cli = Cli(tmp_path / "home", "postgresql://someone:a-secret@127.0.0.1:1/nothing")
    said = await cli.run("verify")
    assert (said.code, said.out) == (2, "")
    assert "cannot connect to the database" in said.one_line()
    assert "a-secret" not in said.err


async def test_what_a_daemon_appends_meanwhile_does_not_matter(
    journal: Cli, served: Served, admin: Client
) -> None:
    """While signals come in, verify walks up to where it began and finds no fault."""
    agent = await trading(admin)
    walking = asyncio.create_task(journal.run("verify"))
    while not walking.done():
        await agent.buy()
    assert (await walking).code == 0

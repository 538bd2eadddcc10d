"""Snapshots in Postgres, and `tapefold snapshot`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from daemon.database import Database
from daemon.domain.freezing import copy
from daemon.domain.tape import Tape
from daemon.records import GENESIS
from streams.log.contract import Log, LogEnd, LogUnavailable
from streams.log.embedded import EmbeddedLog
from streams.snapshots.contract import KEEP, Facts, SnapshotsFailed
from streams.snapshots.postgres import PostgresSnapshots
from streams.snapshots.writing import write
from streams.stages.start import fold_log
from tests.support.cli import Cli
from tests.support.client import Client
from tests.support.history import MINT, OTHER_MINT, History, create_agent, trade
from tests.support.served import Served, trading
from tests.support.world import knowledge

NOTHING = LogEnd(-1, -1, GENESIS)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = await Database.open(database_url, "tapefold test")
    yield made
    await made.close()


@pytest.fixture
async def log(database: Database) -> AsyncIterator[Log]:
    made = await EmbeddedLog.open(database)
    yield made
    await made.close()


async def some_history(log: Log) -> None:
    """Two agents with a position each."""
    history = History(log)
    for name, mint in (("one", MINT), ("other", OTHER_MINT)):
        await trade(history, await create_agent(history, name), f"signal for {name}", mint)
    await history.commit()


async def test_what_was_stored_comes_back(database: Database, log: Log) -> None:
    """A start goes on from what Postgres holds, and comes to what a full fold gives."""
    await some_history(log)
    store = PostgresSnapshots(database.pool)
    head = await log.head(0)
    full = await fold_log(log, 0, head.journal, head.reached)
    made = await write(store, 0, copy(full.tape), full.end)
    assert await store.newest(0) == [made]
    folded = await fold_log(log, 0, head.journal, head.reached, store)
    assert folded.snapshot == made
    assert (knowledge(folded.tape), folded.end) == (knowledge(full.tape), full.end)


async def test_two_of_each_tape_stay(database: Database) -> None:
    """The newest are kept, by when they were made and not by offset: a restored log may have shrunk."""
    store = PostgresSnapshots(database.pool)
    for reached in (5_000, 3, 2, 1):
        await write(store, 0, copy(Tape()), NOTHING._replace(reached=reached))
    await write(store, 1, copy(Tape()), NOTHING)
    assert [each.facts.reached for each in await store.newest(0)] == [1, 2]
    assert len(await store.newest(1)) == 1
    stored = await database.pool.fetchval("SELECT count(DISTINCT snapshot) FROM tape.snapshot_chunks")
    assert stored == KEEP + 1


async def test_one_that_is_not_finished_does_not_count(database: Database) -> None:
    """A write that was cut short is not listed, and is cleaned away by one that begins an hour later."""
    store = PostgresSnapshots(database.pool)
    cut = await store.begin(0)
    await store.put(cut, 0, b"{}\n")
    assert await store.newest(0) == []
    await store.begin(0)
    assert await database.pool.fetchval("SELECT count(*) FROM tape.snapshots") == 2
    await database.pool.execute("UPDATE tape.snapshots SET begun_at = now() - interval '2 hours'")
    await write(store, 0, copy(Tape()), NOTHING)
    assert await database.pool.fetchval("SELECT count(*) FROM tape.snapshots") == 1
    with pytest.raises(SnapshotsFailed):
        await store.put(cut, 1, b"{}\n")


async def test_one_that_was_deleted_meanwhile_fails(database: Database) -> None:
    """Who finishes a snapshot that is gone is told, and nothing counts."""
    store = PostgresSnapshots(database.pool)
    gone = await store.begin(0)
    await database.pool.execute("DELETE FROM tape.snapshots")
    facts = Facts(tape=0, reached=0, journal=0, hash="", version="", bytes=0, chunks=0)
    with pytest.raises(SnapshotsFailed, match="deleted"):
        await store.finish(gone, facts, 0.1)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE tape.snapshot_chunks SET data = substring(data FOR octet_length(data) - 1)",
        "UPDATE tape.snapshot_chunks SET data = set_byte(data, 9, get_byte(data, 9) # 1)",
        "UPDATE tape.snapshots SET tape_offset = tape_offset - 1",
        "UPDATE tape.snapshots SET hash = version",
        "UPDATE tape.snapshots SET chunks = chunks + 1",
        "UPDATE tape.snapshots SET chunks = -1",
        "DELETE FROM tape.snapshot_chunks",
        "DROP TABLE tape.snapshot_chunks",
        "DROP TABLE tape.snapshots CASCADE",
    ],
)
async def test_damage_in_the_tables_costs_time_alone(database: Database, log: Log, damage: str) -> None:
    """Whatever was done to rows or tables, the start folds in full and comes to the same."""
    await some_history(log)
    store = PostgresSnapshots(database.pool)
    head = await log.head(0)
    full = await fold_log(log, 0, head.journal, head.reached)
    await write(store, 0, copy(full.tape), full.end)
    await database.pool.execute(damage)
    folded = await fold_log(log, 0, head.journal, head.reached, store)
    assert folded.snapshot is None
    assert (knowledge(folded.tape), folded.end) == (knowledge(full.tape), full.end)


async def test_without_a_database_it_may_work_later(database: Database) -> None:
    """A database that cannot be reached is no reason to fold in full: the start asks again."""
    store = PostgresSnapshots(database.pool)
    await database.pool.close()
    with pytest.raises(LogUnavailable):
        await store.newest(0)


async def test_make_beside_a_daemon_and_list(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """A snapshot is made beside a running trader, listed as usable, and the next start begins from it."""
    cli = Cli(tmp_path / "home", database_url)
    assert await cli.run("snapshot", "list") == (0, "there are no snapshots\n", "")
    await (await trading(admin)).buy()
    head = await served.daemon.installation.log.head(0)
    said = await cli.run("snapshot", "make")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"tape 0: at {head.reached}, journal {head.journal}, ")
    listed = await cli.run("snapshot", "list")
    assert listed.out.startswith(f"tape 0: at {head.reached}, journal {head.journal}, ")
    assert listed.out.endswith(": usable\n")
    await served.stop()
    await served.start()
    assert b"tapefold_snapshot_offset" in served.daemon.metrics.render()
    shown = served.daemon.metrics.render().decode()
    assert f'tapefold_snapshot_offset{{tape="0"}} {float(head.reached)}' in shown


async def test_list_says_why_one_is_passed_over(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """One of another version, or of another journal, is listed with the reason, as text and as JSON."""
    cli = Cli(tmp_path / "home", database_url)
    await (await trading(admin)).buy()
    await served.stop()
    assert (await cli.run("snapshot", "make")).code == 0
    assert (await cli.run("snapshot", "make")).code == 0
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "UPDATE tape.snapshots SET version = 'old' WHERE id = (SELECT max(id) FROM tape.snapshots);"
            "UPDATE tape.snapshots SET hash = 'x' WHERE id = (SELECT min(id) FROM tape.snapshots)"
        )
    finally:
        await connection.close()
    text = (await cli.run("snapshot", "list")).out.splitlines()
    assert text[0].endswith("passed over: another version of the program wrote it")
    assert text[1].endswith("of the journal is another one")
    found = json.loads((await cli.run("snapshot", "list", "--json")).out)
    assert [each["usable"] for each in found] == [False, False]
    assert msgspec.json.encode(found[0]["fault"]) == b'"another version of the program wrote it"'


async def test_snapshots_of_no_home_are_refused(tmp_path: Path) -> None:
    """Where there is no home, both commands say so in one line and make nothing."""
    cli = Cli(tmp_path / "home")
    for said in await asyncio.gather(cli.run("snapshot", "list"), cli.run("snapshot", "make")):
        assert said.code == 1
        assert "there is no Tapefold home" in said.one_line()
    assert not (tmp_path / "home").exists()

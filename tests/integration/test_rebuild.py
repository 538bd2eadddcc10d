from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from daemon.database import Database
from daemon.domain.commands import HandleSignal
from projections.agents import list_agents
from projections.merging import FoldFailed
from projections.progress import Progress
from projections.rebuild import RebuildProgress, check, rebuild
from projections.replacing import LOCK, RebuildRuns, replace
from projections.schema import prepare
from projections.writer import ProjectorSuperseded
from streams.log.memory import MemoryLog
from streams.stages.projector import Projector
from tests.integration.test_projector import project
from tests.support.history import MINT, OWNER, History, create_agent, everything, trade


@pytest.fixture
def history() -> History:
    times = itertools.count(1_700_000_000_000)
    return History(MemoryLog(lambda: next(times)))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, "tapefold test", connections_max=4)
    yield database
    await database.close()


async def prepared(database: Database) -> bool:
    async with database.pool.acquire() as connection:
        return await prepare(connection)


async def test_a_rebuild_gives_the_projectors_rows(history: History, database: Database) -> None:
    """What a projector stored and what a rebuild stores are the same rows, whichever came first."""
    await everything(history)
    assert await prepared(database)
    await project(history, database)
    assert await check(history.log, database) == []
    told: list[RebuildProgress] = []
    result = await rebuild(history.log, database, told.append)
    assert await check(history.log, database) == []
    assert (result.inputs, told[-1].inputs) == (history.offset + 1, history.offset + 1)
    assert result.events == told[-1].events > 0
    assert [reached.tape_offset for reached in result.reached] == [history.offset]
    assert not await prepared(database)


async def test_a_projector_goes_on_after_a_rebuild(history: History, database: Database) -> None:
    """A rebuild leaves all that a projector needs to go on."""
    agent = await create_agent(history)
    await history.commit()
    await rebuild(history.log, database)
    await trade(history, agent, "signal")
    await project(history, database)
    assert await check(history.log, database) == []


async def test_the_check_finds_what_differs(history: History, database: Database) -> None:
    """A changed column, a lost row and a row too many are all found, by table, key and column."""
    await everything(history)
    await history.commit()
    await rebuild(history.log, database)
    pool = database.pool
    order = await pool.fetchval(
        "UPDATE read.orders SET quantity = quantity + 0.5"
        " WHERE id = (SELECT min(id::text)::uuid FROM read.orders) RETURNING id::text"
    )
    lost = await pool.fetchval(
        "DELETE FROM read.fills WHERE id = (SELECT min(id::text)::uuid FROM read.fills) RETURNING id::text"
    )
    await pool.execute("INSERT INTO read.marks (tape, mint) VALUES (0, 'too many')")
    await pool.execute("UPDATE read.signals SET symbol = NULL WHERE tape_offset = 6")
    found = {(each.table, each.key, each.column) for each in await check(history.log, database)}
    signal = await pool.fetchval("SELECT id::text FROM read.signals WHERE tape_offset = 6")
    assert found == {
        ("orders", order, "quantity"),
        ("fills", lost, None),
        ("marks", "0 too many", None),
        ("signals", signal, "symbol"),
    }
    assert len(await check(history.log, database, limit=2)) == 2


async def test_the_check_compares_at_the_stored_offsets(history: History, database: Database) -> None:
    """Read models that are behind the journal are compared with a fold up to where they are."""
    agent = await create_agent(history)
    await history.commit()
    await rebuild(history.log, database)
    await trade(history, agent, "signal")
    await history.commit()
    assert await check(history.log, database) == []


async def test_a_rebuild_cut_short_is_begun_again(history: History, database: Database) -> None:
    """A rebuild that did not end leaves a schema that the next start makes anew."""
    await create_agent(history)
    await history.add(HandleSignal(mint=MINT, signal_type="buy", strength=1), None)
    await history.commit()
    with pytest.raises(FoldFailed):
        await rebuild(history.log, database)
    assert await prepared(database)
    assert await list_agents(database.pool, OWNER, limit=9) == []


async def test_another_fingerprint_means_empty_tables(history: History, database: Database) -> None:
    """Tables of another version are dropped, those of this one are left alone."""
    await create_agent(history)
    await history.commit()
    assert await prepared(database)
    await project(history, database)
    assert not await prepared(database)
    assert len(await list_agents(database.pool, OWNER, limit=9)) == 1
    await database.pool.execute("UPDATE read.schema_version SET fingerprint = 'another'")
    assert await prepared(database)
    assert await list_agents(database.pool, OWNER, limit=9) == []


async def test_a_large_rebuild_crosses_batches(history: History, database: Database) -> None:
    """More inputs than one batch holds give the same rows as a projector's."""
    agents = [await create_agent(history, f"agent {number}") for number in range(3)]
    for number in range(1_100):
        await trade(history, agents[number % 3], f"signal {number}")
    await history.commit()
    result = await rebuild(history.log, database)
    assert result.events == 6 + 4 * 1_100
    assert await prepared(database) is False
    await database.pool.execute("DELETE FROM read.schema_version")
    await prepared(database)
    await project(history, database)
    assert await check(history.log, database) == []


async def test_a_rebuild_takes_the_place_of_serving_tables(history: History, database: Database) -> None:
    """While a projector and readers are at work all rows stay readable, and none is lost by the swap."""
    agent = await create_agent(history)
    await history.commit()
    assert await prepared(database)
    progress, stop = Progress(), asyncio.Event()
    projector = Projector(history.log, 0, database, progress, never_halts)

    async def run() -> None:
        while not stop.is_set():
            with suppress(ProjectorSuperseded):
                await projector.run(stop)

    running = asyncio.create_task(run())
    seen: list[int] = []

    async def read() -> None:
        while not stop.is_set():
            seen.append(len(await list_agents(database.pool, OWNER, limit=9)))

    reading = asyncio.create_task(read())
    await progress.wait(0, history.offset, 30)
    for turn in range(3):
        replacing = asyncio.create_task(replace(history.log, database))
        for number in range(20):
            await trade(history, agent, f"signal {turn} {number}")
            await history.commit()
            await progress.wait(0, history.offset, 30)  # one by one, so that a swap falls in between
        await replacing
    assert await progress.wait(0, history.offset, 30)
    stop.set()
    await asyncio.gather(running, reading)
    assert set(seen[seen.index(1) :]) == {1}
    assert await check(history.log, database) == []


async def test_a_second_rebuild_is_refused(history: History, database: Database) -> None:
    """While one rebuild is at work another is refused at once, and leaves everything alone."""
    await create_agent(history)
    await history.commit()
    await replace(history.log, database)
    async with database.pool.acquire() as connection:
        await connection.execute(f"SELECT pg_advisory_lock({LOCK}, 0)")
        with pytest.raises(RebuildRuns):
            await replace(history.log, database)
        await connection.execute(f"SELECT pg_advisory_unlock({LOCK}, 0)")
    assert await check(history.log, database) == []


async def test_a_failed_rebuild_leaves_what_serves(history: History, database: Database) -> None:
    """What cannot be folded ends the rebuild, and the tables that serve stay as they were."""
    await create_agent(history)
    await history.commit()
    assert await prepared(database)
    await project(history, database)
    await history.add(HandleSignal(mint=MINT, signal_type="buy", strength=1), None)
    await history.commit()
    with pytest.raises(FoldFailed):
        await replace(history.log, database)
    assert not await prepared(database)
    assert len(await list_agents(database.pool, OWNER, limit=9)) == 1


async def never_halts(*_: object) -> None:
    raise AssertionError

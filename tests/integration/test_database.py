"""What a Postgres must be, and that pools and engines come back by themselves."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import sqlalchemy as sa

from daemon.database import Database, DatabaseRefused, DatabaseUnreachable, connect, engine
from streams.log.contract import Fenced
from streams.log.embedded import EmbeddedLog
from tests.support.postgres import Server


async def shown(url: str, setting: str) -> object:
    connection = await connect(url, "test")
    try:
        return await connection.fetchval(f"SHOW {setting}")
    finally:
        await connection.close()


async def test_an_ordinary_postgres_passes(database_url: str) -> None:
    """A Postgres with its ordinary settings is accepted, and its sessions commit durably."""
    database = await Database.open(database_url, "tapefold test")
    assert await database.pool.fetchval("SHOW synchronous_commit") == "on"
    assert await database.pool.fetchval("SHOW application_name") == "tapefold test"
    await database.close()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_postgres_that_can_lose_is_refused(own_server: Server, setting: str) -> None:
    """A Postgres that could lose what it has acknowledged is refused with the setting's name."""
    connection = await connect(own_server.url(), "test")
    await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    async with asyncio.timeout(20):
        # Until the reload has come through.
        while await shown(own_server.url(), setting) != "off":
            pass
    with pytest.raises(DatabaseRefused, match=f"{setting} = off"):
        await Database.open(own_server.url(), "test")


async def test_a_wrong_name_is_refused_and_a_dead_server_unreachable(own_server: Server) -> None:
    """What waiting cannot mend is told apart from what it can."""
    with pytest.raises(DatabaseRefused, match="nowhere"):
        await Database.open(own_server.url("nowhere"), "test")
    own_server.kill()
    with pytest.raises(DatabaseUnreachable):
        await Database.open(own_server.url(), "test")


async def test_pool_and_engine_outlive_a_killed_postgres(own_server: Server) -> None:
    """After Postgres was killed and started again, the pool and the engine answer without being made anew."""
    database = await Database.open(own_server.url(), "test")
    reading = engine(own_server.url())

    async def ask() -> int:
        async with reading.connect() as connection:
            return int((await connection.execute(sa.text("SELECT 1"))).scalar_one())

    assert await ask() == 1
    own_server.kill()
    await own_server.ready()
    assert await ask() == 1
    assert await database.pool.fetchval("SELECT 1") == 1
    await reading.dispose()
    await database.close()


async def test_a_lost_lock_stops_nothing_and_is_taken_again(database_url: str) -> None:
    """A claim whose lock session was cut goes on committing, and keeps others out again soon."""
    database = await Database.open(database_url, "test")
    log = await EmbeddedLog.open(database)
    claim = await log.claim(0, "tapefold holder")
    cut = (
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE application_name LIKE 'tapefold holder%' AND datname = current_database()"
    )
    assert await database.pool.fetchval(cut) == 1
    await log.commit(claim, -1, 0, [])
    holders = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 0"
    async with asyncio.timeout(20):
        while not await database.pool.fetchval(holders):
            await asyncio.sleep(0.01)
    await log.commit(claim, -1, 1, [])
    await log.close()
    await database.close()


async def test_whoever_claims_while_the_lock_is_lost_fences(database_url: str) -> None:
    """Where another claims before a lost lock is taken again, the first is fenced and does not take it."""
    database = await Database.open(database_url, "test")
    first, second = await EmbeddedLog.open(database), await EmbeddedLog.open(database)
    claim = await first.claim(0, "tapefold holder")
    first._locks._held[0].session.terminate()
    async with asyncio.timeout(20):
        while True:
            try:
                later = await second.claim(0, "tapefold other")
            except Exception:  # noqa: BLE001 - the first may be quicker: then it is cut again
                first._locks._held[0].session.terminate()
                continue
            break
    with pytest.raises(Fenced):
        await first.commit(claim, -1, 0, [])
    await second.commit(later, -1, 0, [])
    await first.close()
    await second.close()
    await database.close()


async def test_a_time_out_is_an_unknown_outcome(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append that gets no answer in time is unknown; the next one goes on, and nothing stands twice."""
    from streams.log.contract import OutcomeUnknown

    database = await Database.open(database_url, "test")
    log = await EmbeddedLog.open(database)
    await log.append(0, [b"a"])
    blocker = await asyncpg.connect(database_url)
    monkeypatch.setattr("streams.log.embedded_calls.STORE_SECONDS_MAX", 0.2)
    async with blocker.transaction():
        await blocker.execute("SELECT FROM tape.heads FOR UPDATE")
        with pytest.raises(OutcomeUnknown):
            await log.append(0, [b"b"])
    monkeypatch.undo()
    appended = await log.append(0, [b"c"])
    records = await log.read_tape(0, -1, 10)
    while records[-1].offset < appended.first:
        records = [*records, *await log.read_tape(0, records[-1].offset, 10)]
    assert [record.data for record in records] in ([b"a", b"c"], [b"a", b"b", b"c"])
    await blocker.close()
    await log.close()
    await database.close()

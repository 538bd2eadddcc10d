"""The partitions of the embedded log: made in time, by whoever needs them first."""

from __future__ import annotations

import asyncio

from daemon.database import Database
from streams.log.embedded import EmbeddedLog
from tests.support.logs import entry

PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'tape.{}'::regclass ORDER BY 1
"""


async def opened(url: str, partition_offsets: int) -> tuple[Database, EmbeddedLog]:
    database = await Database.open(url, "test")
    await database.pool.execute("UPDATE tape.settings SET partition_offsets = $1", partition_offsets)
    return database, await EmbeddedLog.open(database)


async def test_the_next_partition_is_there_before_it_is_needed(database_url: str) -> None:
    """There is always one partition more than the head needs."""
    database, log = await opened(database_url, 10)
    for turn in range(35):
        await log.append(0, [b"a"])
        await log._partitions.close()
        names = [row[0] for row in await database.pool.fetch(PARTITIONS.format("inputs"))]
        assert names == [f"tape.inputs_{number:05d}" for number in range((turn + 1) // 10 + 2)]
    assert len(await log.read_tape(0, -1, 100)) == 35
    await log.close()
    await database.close()


async def test_one_call_may_fill_many_partitions(database_url: str) -> None:
    """An append or a commit larger than all partitions that there are stores all of its records."""
    database, log = await opened(database_url, 10)
    await log.append(0, [b"a"] * 95)
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 94, [entry(offset) for offset in range(95)])
    fresh = await EmbeddedLog.open(database)
    assert [record.offset for record in await fresh.read_tape(0, -1, 1000)] == list(range(95))
    assert len((await fresh.read_journal(0, -1, 1000)).records) == 95
    await asyncio.gather(log.close(), fresh.close())
    await database.close()


async def test_partitions_made_at_once_are_made_once(database_url: str) -> None:
    """Many who find the same partition missing make it once, and none fails."""
    database, log = await opened(database_url, 10)
    await database.pool.execute("UPDATE tape.heads SET next_offset = 1000")
    await asyncio.gather(*(log.ensure_partitions() for _ in range(8)))
    names = [row[0] for row in await database.pool.fetch(PARTITIONS.format("inputs"))]
    assert names == [f"tape.inputs_{number:05d}" for number in (0, 1, 100, 101)]
    await log.close()
    await database.close()

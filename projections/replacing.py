"""A rebuild beside the serving tables: folded into a schema of its own, then put in their place.

Nobody stops for it. Readers see the old rows until the swap and the new ones after it; a projector that is at
work is told by its progress row that it has been followed, and goes on in the new tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asyncpg.connection import Connection

from daemon.database import Database
from projections.folding import Folder
from projections.merging import Merge, Source, fold
from projections.model import SCHEMA
from projections.rebuild import INPUTS_MAX, OnProgress, RebuildResult, fill, sessions, silent
from projections.schema import drop
from projections.writer import Writer

SCHEMA_NEXT: Final = "read_next"
SCHEMA_LAST: Final = "read_last"
LOCK: Final = 0x7461_706A
"""First half of the key of the advisory lock that one rebuild holds; the second is 0."""
ROUNDS_MAX: Final = 50
CLOSE_INPUTS: Final = 500
"""So near to the serving tables the rest is folded while their projectors wait."""


class RebuildRuns(Exception):
    """Another rebuild is at work on this database."""


async def replace(log: Source, database: Database, on_progress: OnProgress = silent) -> RebuildResult:
    """Fold the whole log into fresh tables, and let them take the place of those that serve.

    Raises `FoldFailed`, with the serving tables as they were, or `RebuildRuns`.
    """
    async with sessions(database, "tapefold rebuild") as connections:
        connection = connections[0]
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1::int, 0)", LOCK):
            raise RebuildRuns("another rebuild of these read models is at work: wait for its end")
        result = await fill(log, connections, SCHEMA_NEXT, {}, on_progress)
        for _ in range(ROUNDS_MAX):
            behind = await _catch_up(log, connection, {})
            if behind <= CLOSE_INPUTS:
                break
        await _swap(log, connection)
        await drop(connection, SCHEMA_LAST)
    return result


async def _catch_up(log: Source, connection: Connection, until: Mapping[int, int]) -> int:
    """Fold what has come meanwhile; how many inputs that were."""
    inputs = 0
    for tape in range(log.tapes):
        writer = await Writer.open(connection, SCHEMA_NEXT, tape)
        folder, merge = (
            Folder(tape, await writer.load(), writer.reached.now),
            Merge(log, tape, writer.reached),
        )
        while records := await merge.read(INPUTS_MAX, until.get(tape)):
            await fold(merge, folder, records)
            await writer.write(folder.take(), merge.reached(folder.now))
            inputs += len(records)
    return inputs


async def _swap(log: Source, connection: Connection) -> None:
    """Put the new tables in the place of the serving ones, no earlier than where those are."""
    async with connection.transaction():
        if await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.progress')") is not None:
            # Its projectors wait here from now on, and find at the end that they have been followed.
            rows = await connection.fetch(
                f"UPDATE {SCHEMA}.progress SET generation = generation + 1 RETURNING tape, tape_offset"
            )
            await _catch_up(log, connection, {row["tape"]: row["tape_offset"] for row in rows})
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA_LAST} CASCADE")
        # Renamed, not dropped: whoever is reading them reads to the end.
        if await connection.fetchval(f"SELECT to_regnamespace('{SCHEMA}')") is not None:
            await connection.execute(f"ALTER SCHEMA {SCHEMA} RENAME TO {SCHEMA_LAST}")
        await connection.execute(f"ALTER SCHEMA {SCHEMA_NEXT} RENAME TO {SCHEMA}")

"""Folds the whole log again: into fresh tables, or beside the stored ones to compare them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from asyncpg.connection import Connection

from daemon.database import Database
from daemon.domain.values import use_context
from projections.batch import Batch
from projections.differences import Difference, compare
from projections.folding import Folder
from projections.merging import Merge, Source, fold
from projections.model import SCHEMA
from projections.progress import Reached, list_progress
from projections.schema import create, create_indexes, drop, seal
from projections.writer import Writer

SCHEMA_CHECK: Final = "read_check"
INPUTS_MAX: Final = 1_000
"""Inputs read at once."""
ROWS_MIN: Final = 4_000
"""Rows gathered for one write: its fixed cost does not count, and they still fit a processor's cache."""
INDEX_CONNECTIONS: Final = 2
"""Make the indexes at the end: nothing is folded then, so two processors are free."""


class RebuildProgress(NamedTuple):
    """How far a rebuild is."""

    tape: int
    tape_offset: int
    inputs: int
    events: int
    seconds: float


class RebuildResult(NamedTuple):
    """What a rebuild folded."""

    inputs: int
    events: int
    seconds: float
    reached: tuple[Reached, ...]
    """By tape."""

    @property
    def events_per_second(self) -> float:
        """Events folded and written each second."""
        return self.events / self.seconds if self.seconds else 0.0


OnProgress = Callable[[RebuildProgress], None]


def silent(_: RebuildProgress) -> None:
    """Tell nobody."""


async def rebuild(log: Source, database: Database, on_progress: OnProgress = silent) -> RebuildResult:
    """Drop the read models and fold them again from the whole log; no projector may run meanwhile.

    Cut short, it is begun again by the next start: the schema has no fingerprint before its end.
    Raises `FoldFailed`.
    """
    async with sessions(database, "tapefold rebuild") as connections:
        return await fill(log, connections, SCHEMA, {}, on_progress)


async def check(
    log: Source, database: Database, on_progress: OnProgress = silent, *, limit: int = 100
) -> list[Difference]:
    """Compare full rows with a fresh fold up to the same offsets; the first `limit` differences.

    Raises `FoldFailed`.
    """
    async with sessions(database, "tapefold rebuild --check") as connections:
        connection = connections[0]
        stored = {row.tape: row for row in await list_progress(connection)}
        until = {tape: stored[tape].tape_offset if tape in stored else -1 for tape in range(log.tapes)}
        await fill(log, connections, SCHEMA_CHECK, until, on_progress)
        found = await compare(connection, SCHEMA, SCHEMA_CHECK, limit)
        await drop(connection, SCHEMA_CHECK)
    return found


@asynccontextmanager
async def sessions(database: Database, name: str) -> AsyncIterator[Sequence[Connection]]:
    """Connections for a rebuild, with the garbage collector off meanwhile."""
    connections = [await database.session(name) for _ in range(INDEX_CONNECTIONS)]
    # Rows are many and form no cycles: the collector would look at all of them again and again.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield connections
    finally:
        if collecting:
            gc.enable()
        for connection in connections:
            connection.terminate()


async def fill(
    log: Source,
    connections: Sequence[Connection],
    schema: str,
    until: Mapping[int, int],
    on_progress: OnProgress,
) -> RebuildResult:
    """Make the schema, empty, and fold every tape into it, up to an offset where one is given."""
    use_context()
    clock = asyncio.get_running_loop().time
    begin = clock()
    await create(connections[0], schema)
    inputs = events = 0
    reached = []
    for tape in range(log.tapes):
        writer = await Writer.open(connections[0], schema, tape)
        writer.fills = True
        folder, merge = Folder(tape, await writer.load()), Merge(log, tape, writer.reached)
        async for some in _fill_tape(merge, folder, writer, until.get(tape)):
            inputs += some
            done, at = events + folder.events, merge.reached(folder.now).tape_offset
            on_progress(RebuildProgress(tape, at, inputs, done, clock() - begin))
        events += folder.events
        reached.append(writer.reached)
    await create_indexes(connections, schema)
    await seal(connections[0], schema)
    return RebuildResult(inputs, events, clock() - begin, tuple(reached))


async def _fill_tape(merge: Merge, folder: Folder, writer: Writer, until: int | None) -> AsyncIterator[int]:
    """Fold and write one tape; yields how many inputs were folded together."""
    rewritten = Batch()
    writing: asyncio.Task[None] | None = None
    try:
        while records := await merge.read(INPUTS_MAX, until):
            await fold(merge, folder, records)
            if folder.size >= ROWS_MIN:
                batch = folder.take()
                batch.keep(rewritten)
                # Postgres stores one batch while the next is folded.
                if writing is not None:
                    await writing
                writing = asyncio.create_task(writer.write(batch, merge.reached(folder.now)))
            yield len(records)
        if writing is not None:
            await writing
        last = folder.take()
        last.keep(rewritten)
        last.rows.update(rewritten.rows)
        await writer.write(last, merge.reached(folder.now))
    finally:
        if writing is not None:
            writing.cancel()

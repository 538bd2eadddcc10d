"""Filling the tables of the embedded log with another log's records, at the same offsets and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from daemon.database import Database, one_line
from daemon.records import JournalRecord, TapeRecord
from streams.log import embedded_sql as sql
from streams.log.contract import Head, LogUnavailable
from streams.log.copying import CopyFailed
from streams.log.embedded_calls import read
from streams.log.embedded_partitions import Partitions

COPY_SECONDS_MAX: Final = 60.0

_HOLDS: Final = """
SELECT EXISTS (SELECT FROM tape.inputs) OR EXISTS (SELECT FROM tape.entries)
    OR EXISTS (SELECT FROM tape.heads WHERE next_offset > 0)
    OR EXISTS (SELECT FROM tape.journal_heads WHERE next_offset > 0 OR reached >= 0) AS holds
"""
# Partitions stay: the next records need the first of them.
_EMPTY: Final = """
TRUNCATE tape.inputs, tape.entries;
UPDATE tape.heads SET next_offset = 0, at = 0;
UPDATE tape.journal_heads SET next_offset = 0, reached = -1, epoch = 0
"""
# $1 tape, $2 next offset, $3 time of the last input.
_END_TAPE: Final = """
INSERT INTO tape.heads (tape, next_offset, at) VALUES ($1, $2, $3)
ON CONFLICT (tape) DO UPDATE SET next_offset = excluded.next_offset, at = excluded.at
"""
# $1 tape, $2 next offset, $3 reached, $4 epoch.
_END_JOURNAL: Final = """
INSERT INTO tape.journal_heads (tape, next_offset, reached, epoch) VALUES ($1, $2, $3, $4)
ON CONFLICT (tape) DO UPDATE
SET next_offset = excluded.next_offset, reached = excluded.reached, epoch = excluded.epoch
"""
# $1 the number of tapes.
_NO_MORE: Final = """
WITH journals AS (DELETE FROM tape.journal_heads WHERE tape >= $1)
DELETE FROM tape.heads WHERE tape >= $1
"""

_TROUBLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


async def is_empty(database: Database) -> bool:
    """Whether the tables hold nothing. Raises `LogUnavailable`."""
    (found,) = await read(database.pool, _HOLDS)
    return not found["holds"]


class EmbeddedTarget:
    """Empty tables that are being filled; their heads stay at nothing until `seal`."""

    def __init__(self, database: Database, partitions: Partitions, heads: Sequence[Head]) -> None:
        self._pool = database.pool
        self._partitions = partitions
        self._heads = list(heads)
        self._times = [0] * len(heads)

    @classmethod
    async def open(cls, database: Database, heads: Sequence[Head]) -> EmbeddedTarget:
        """Empty the tables and make room up to these ends. Raises `LogUnavailable`."""
        try:
            await database.pool.execute(_EMPTY, timeout=COPY_SECONDS_MAX)
        except _TROUBLE as error:
            raise LogUnavailable(f"cannot empty the embedded log: {one_line(error)}") from error
        (settings,) = await read(database.pool, sql.SETTINGS)
        partitions = Partitions(database.pool, settings["partition_offsets"])
        await partitions.ensure(max(max(head.tape, head.journal) + 1 for head in heads))
        return cls(database, partitions, heads)

    async def put_inputs(self, tape: int, inputs: Sequence[TapeRecord]) -> None:
        """Store the next inputs of a tape, with the times that they have."""
        rows = [(tape, each.offset, each.at, _text("tape", tape, each)) for each in inputs]
        await self._copy("inputs", ("tape", "offset", "at", "data"), rows)
        self._times[tape] = inputs[-1].at

    async def put_records(self, tape: int, records: Sequence[JournalRecord], epoch: int) -> None:
        """Store the next whole entries of a journal."""
        rows = [(tape, each.offset, each.tape_offset, _text("journal", tape, each)) for each in records]
        await self._copy("entries", ("tape", "offset", "tape_offset", "data"), rows)

    async def end(self, tape: int, head: Head) -> None:
        """Remember how the tape ends: `seal` says so of all at once."""
        self._heads[tape] = head

    async def seal(self, connection: Any) -> None:
        """Let the heads tell of what is there, in the caller's transaction: now it is a log."""
        await connection.execute(_NO_MORE, len(self._heads))
        for tape, head in enumerate(self._heads):
            await connection.execute(_END_TAPE, tape, head.tape + 1, self._times[tape])
            await connection.execute(_END_JOURNAL, tape, head.journal + 1, head.reached, head.epoch)

    async def close(self) -> None:
        """Nothing to give up."""
        await self._partitions.close()

    async def _copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        try:
            async with self._pool.acquire(timeout=5) as connection:
                await connection.copy_records_to_table(
                    table, schema_name="tape", columns=columns, records=rows, timeout=COPY_SECONDS_MAX
                )
        except _TROUBLE as error:
            raise LogUnavailable(f"cannot fill the embedded log: {one_line(error)}") from error


def _text(what: str, tape: int, record: TapeRecord | JournalRecord) -> str:
    try:
        text = record.data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise CopyFailed(
            f"{what} {tape}, offset {record.offset}: is no text, and a Postgres takes nothing else"
        )
    return text

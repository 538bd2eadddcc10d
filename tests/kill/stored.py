"""What is stored of one tape and its journal, as it lies in the tables of an embedded log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from asyncpg.connection import Connection

_HEADS = """
SELECT head.next_offset AS inputs, journal.next_offset AS records, reached
FROM tape.heads AS head JOIN tape.journal_heads AS journal USING (tape) WHERE tape = $1
"""
_INPUTS = 'SELECT "offset", at, data FROM tape.inputs WHERE tape = $1 AND "offset" >= $2 ORDER BY "offset"'
_RECORDS = """
SELECT "offset", tape_offset, data FROM tape.entries WHERE tape = $1 AND "offset" >= $2 ORDER BY "offset"
"""


class Stored(NamedTuple):
    """What was stored behind some place, and where tape and journal end; all of it of one moment."""

    inputs: Sequence[tuple[int, int, str]]
    """Offset, time, bytes."""
    records: Sequence[tuple[int, int, str]]
    """Offset, the input's offset, bytes."""
    next_input: int
    next_record: int
    reached: int


async def read_tables(connection: Connection, tape: int, inputs: int, records: int) -> Stored | None:
    """What the tables hold behind so many inputs and records; None before there is a tape."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        head = await connection.fetchrow(_HEADS, tape)
        if head is None:
            return None
        return Stored(
            [tuple(row) for row in await connection.fetch(_INPUTS, tape, inputs)],
            [tuple(row) for row in await connection.fetch(_RECORDS, tape, records)],
            head["inputs"],
            head["records"],
            head["reached"],
        )

"""Snapshots in Postgres, which stands beside both engines of the log.

Chunks are committed one by one, so that no transaction stays open while a large state is encoded, and without
waiting for the disk; the last statement waits for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
from asyncpg.pool import Pool

from daemon.database import one_line
from streams.log.contract import OutcomeUnknown
from streams.log.embedded_calls import read, store
from streams.snapshots.contract import KEEP, Facts, Snapshot, SnapshotsFailed

# $1 tape. One that was begun so long ago will not be finished any more.
_BEGIN: Final = """
WITH abandoned AS (
    DELETE FROM tape.snapshots WHERE tape = $1::int AND made_at IS NULL
        AND begun_at < clock_timestamp() - interval '1 hour'
)
INSERT INTO tape.snapshots (tape) VALUES ($1::int) RETURNING id
"""
# $1 snapshot, $2 number, $3 data.
_PUT: Final = """
WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO tape.snapshot_chunks (snapshot, number, data) SELECT $1::bigint, $2::int, $3::bytea FROM quick
RETURNING number
"""
# $1 snapshot, $2 seconds, $3 … the facts, in the order of their fields; $11 how many to keep of the tape.
_FINISH: Final = """
WITH old AS (
    DELETE FROM tape.snapshots WHERE tape = $3::int AND made_at IS NOT NULL AND id NOT IN (
        SELECT id FROM tape.snapshots WHERE tape = $3::int AND made_at IS NOT NULL AND id <> $1::bigint
        ORDER BY id DESC LIMIT $11::int - 1
    ) AND id <> $1::bigint
)
UPDATE tape.snapshots SET made_at = clock_timestamp(), seconds = $2::float8, tape_offset = $4::bigint,
    journal_offset = $5::bigint, hash = $6, version = $7, bytes = $8::bigint, chunks = $9::int, checksum = $10
WHERE id = $1::bigint AND made_at IS NULL
RETURNING floor(extract(epoch FROM made_at) * 1000)::bigint AS made_at
"""
# $1 tape.
_LIST: Final = """
SELECT id, floor(extract(epoch FROM made_at) * 1000)::bigint AS made_at, seconds,
    tape, tape_offset AS reached, journal_offset AS journal, hash, version, bytes, chunks, checksum
FROM tape.snapshots WHERE tape = $1::int AND made_at IS NOT NULL ORDER BY id DESC
"""
# $1 snapshot, $2 number.
_CHUNK: Final = "SELECT data FROM tape.snapshot_chunks WHERE snapshot = $1::bigint AND number = $2::int"


class PostgresSnapshots:
    """The tables `tape.snapshots` and `tape.snapshot_chunks`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, tape: int) -> int:
        """The id of a new snapshot."""
        row = await self._store(_BEGIN, tape)
        number: int = row["id"]
        return number

    async def put(self, snapshot: int, number: int, data: bytes) -> None:
        """Store one chunk."""
        await self._store(_PUT, snapshot, number, data)

    async def finish(self, snapshot: int, facts: Facts, seconds: float) -> Snapshot:
        """Make it count, durably, and delete the oldest."""
        values = (getattr(facts, name) for name in facts.__struct_fields__)
        row = await self._store(_FINISH, snapshot, seconds, *values, KEEP)
        return Snapshot(snapshot, facts, row["made_at"], seconds)

    async def newest(self, tape: int) -> Sequence[Snapshot]:
        """The whole ones of a tape, the newest first."""
        return [
            Snapshot(
                row["id"],
                Facts(**{name: row[name] for name in Facts.__struct_fields__}),
                row["made_at"],
                row["seconds"],
            )
            for row in await self._read(_LIST, tape)
        ]

    async def chunk(self, snapshot: int, number: int) -> bytes:
        """One chunk."""
        rows = await self._read(_CHUNK, snapshot, number)
        if not rows:
            raise SnapshotsFailed(f"snapshot {snapshot} has no chunk {number}")
        data: bytes = rows[0]["data"]
        return data

    async def _store(self, statement: str, *arguments: Any) -> asyncpg.Record:
        try:
            row = await store(self._pool, set(), statement, *arguments)
        except (asyncpg.PostgresError, OutcomeUnknown) as error:
            raise SnapshotsFailed(one_line(error)) from error
        if row is None:
            raise SnapshotsFailed("it was deleted while it was written")
        return row

    async def _read(self, statement: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        try:
            return await read(self._pool, statement, *arguments)
        except asyncpg.PostgresError as error:
            raise SnapshotsFailed(one_line(error)) from error

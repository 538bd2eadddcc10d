"""The partitions of inputs and entries: 10 million offsets each, the next one made ahead."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import asyncpg
from asyncpg.pool import Pool

from daemon.database import one_line
from streams.log import embedded_sql as sql
from streams.log.contract import LogUnavailable

_TROUBLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class Partitions:
    """Makes partitions in time. Others may do so at once: each looks again under a lock."""

    def __init__(self, pool: Pool, offsets: int) -> None:
        self._pool = pool
        self._offsets = offsets
        self._end = {"inputs": 0, "entries": 0}
        self._task: asyncio.Task[None] | None = None

    async def ensure(self, records: int = 0) -> None:
        """Make what is needed to store `records` more, and one ahead. Raises `LogUnavailable`."""
        try:
            async with self._pool.acquire(timeout=5) as connection, connection.transaction():
                rows = await connection.fetch(sql.PARTITIONS)
                if any(self._missing(row, records) for row in rows):
                    await connection.execute(sql.LOCK_PARTITIONS)
                    rows = await connection.fetch(sql.PARTITIONS)
                for row in rows:
                    for number in self._missing(row, records):
                        await connection.execute(self._statement(row["name"], number))
        except _TROUBLE as error:
            raise LogUnavailable(f"cannot make a partition: {one_line(error)}") from error
        for row in rows:
            self._end[row["name"]] = ((row["next_offset"] + records) // self._offsets + 2) * self._offsets

    def watch(self, table: str, next_offset: int) -> None:
        """Make the next partition in the background once the head has come to the last one made."""
        if next_offset >= self._end[table] - self._offsets and self._task is None:
            self._task = asyncio.create_task(self._ahead(), name="log partitions")

    async def close(self) -> None:
        """Wait for what is being made."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _ahead(self) -> None:
        try:
            # Asked again by the next append; without a partition that one makes it itself.
            with suppress(LogUnavailable):
                await self.ensure()
        finally:
            self._task = None

    def _missing(self, row: asyncpg.Record, records: int) -> list[int]:
        first, end = row["next_offset"] // self._offsets, (row["next_offset"] + records) // self._offsets + 2
        return [number for number in range(first, end) if _name(row["name"], number) not in row["partitions"]]

    def _statement(self, table: str, number: int) -> str:
        first = number * self._offsets
        return sql.ADD_PARTITION.format(
            table=table, partition=_name(table, number), first=first, end=first + self._offsets
        )


def _name(table: str, number: int) -> str:
    return f"{table}_{number:05d}"

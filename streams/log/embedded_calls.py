"""One statement on a pool, with what went wrong told in the contract's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
from asyncpg.pool import Pool, PoolConnectionProxy

from daemon.database import one_line
from streams.log.contract import LogUnavailable, OutcomeUnknown

ACQUIRE_SECONDS_MAX: Final = 5.0
STORE_SECONDS_MAX: Final = 5.0
READ_SECONDS_MAX: Final = 30.0

_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # asyncpg says this of a connection that Postgres has cut while a statement was being prepared on it.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
# Classes of errors of the server that say nothing about our statement: another time it may pass.
# 25006 read-only transaction, 40 rollback, 53 resources, 55 not in state, 57 operator, 58 system.
_PASSING: Final = ("25006", "40", "53", "55", "57", "58")


async def store(pool: Pool, sessions: set[int], statement: str, *arguments: Any) -> asyncpg.Record | None:
    """Run a statement that stores, once. It returns at most one row. `sessions` learns who stores.

    Raises `LogUnavailable` if certainly nothing was stored, `OutcomeUnknown` if nobody can tell.
    """
    async with _borrowed(pool) as connection:
        sessions.add(connection.get_server_pid())
        try:
            return await connection.fetchrow(statement, *arguments, timeout=STORE_SECONDS_MAX)
        except asyncpg.PostgresError as error:
            # ERROR means rolled back; FATAL can come after the commit, when its answer is still under way.
            if error.severity_en != "ERROR":
                _cut(connection)
                raise OutcomeUnknown(f"lost the database while storing: {error}") from error
            if error.sqlstate.startswith(_PASSING):
                raise LogUnavailable(f"the database refused to store: {error}") from error
            raise
        except _LOST as error:
            _cut(connection)
            raise OutcomeUnknown(f"no answer from the database: {one_line(error)}") from error


async def read(pool: Pool, statement: str, *arguments: Any) -> Sequence[asyncpg.Record]:
    """The rows of a statement that only reads. Raises `LogUnavailable`."""
    async with _borrowed(pool) as connection:
        try:
            return await connection.fetch(statement, *arguments, timeout=READ_SECONDS_MAX)
        except asyncpg.PostgresError as error:
            if error.severity_en != "ERROR":
                _cut(connection)
            elif not error.sqlstate.startswith(_PASSING):
                raise
            raise LogUnavailable(f"cannot read the log: {error}") from error
        except _LOST as error:
            _cut(connection)
            raise LogUnavailable(f"cannot read the log: {one_line(error)}") from error


def _cut(connection: PoolConnectionProxy) -> None:
    # A connection that was lost has gone back to the pool by itself already.
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


@asynccontextmanager
async def _borrowed(pool: Pool) -> AsyncIterator[PoolConnectionProxy]:
    try:
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS_MAX)
    except (asyncpg.PostgresError, *_LOST) as error:
        raise LogUnavailable(f"cannot reach the database: {one_line(error)}") from error
    try:
        yield connection
    except asyncio.CancelledError:
        # Whoever is canceled does not wait until a frozen database has heard of it.
        _cut(connection)
        raise
    finally:
        await pool.release(connection)

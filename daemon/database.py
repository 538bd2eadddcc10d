"""Connections, pools and engines from one DSN, and the checks that a Postgres must pass. No tables.

Nothing here reconnects by a loop of its own: a pool that finds a connection dead makes a new one, so all who
use it recover as soon as Postgres is back.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Self

import asyncpg
from asyncpg.connection import Connection
from asyncpg.pool import Pool
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

VERSION_MIN: Final = 14
CONNECT_SECONDS_MAX: Final = 5.0
POOL_CONNECTIONS_MAX: Final = 8
PROBE_SECONDS_MAX: Final = 3.0

_SESSION: Final = {
    # Our statements count on seeing what others have just committed; a server may have another default.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    # An acknowledgment means durable, whatever the server's default is.
    "synchronous_commit": "on",
    # Only bites over TCP: a machine that vanished lets go of its locks within half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}


# What a start, a stop or a crowd gives, and time mends.
_PASSING: Final = (
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    OSError,
    TimeoutError,
)


class DatabaseRefused(Exception):
    """This Postgres cannot hold our data; the message is one line that says why and what would be right."""


class DatabaseUnreachable(Exception):
    """No connection now. It may come back."""


TROUBLE: Final = (
    DatabaseUnreachable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # asyncpg says this of a connection that Postgres has cut while a statement was being prepared on it.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What a session may raise at any moment, for those who go on by trying again."""


async def connect(dsn: str, application_name: str) -> Connection:
    """A session of its own, outside every pool: for locks, LISTEN and migrations.

    Raises `DatabaseUnreachable` or, where asking again cannot help, `DatabaseRefused`.
    """
    try:
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS_MAX,
            server_settings={**_SESSION, "application_name": application_name},
        )
    except _PASSING as error:
        raise DatabaseUnreachable(f"cannot connect to the database: {one_line(error)}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseRefused(f"cannot use the database: {one_line(error)}") from error
    except (ValueError, LookupError, OverflowError):
        # What Python says of a URL that it cannot take apart quotes it, and so the password.
        raise DatabaseRefused("cannot use the database: its URL cannot be read") from None


class Database:
    """A pool on one Postgres that has passed the checks.

    Connections go back to the pool without a reset, which would cost a round trip each: whoever borrows one
    leaves no setting, lock or listener behind. Locks and LISTEN belong on a `session` of their own.
    """

    def __init__(self, dsn: str, application_name: str, pool: Pool) -> None:
        self.dsn = dsn
        self.application_name = application_name
        self.pool = pool

    @classmethod
    async def open(
        cls, dsn: str, application_name: str, *, connections_max: int = POOL_CONNECTIONS_MAX
    ) -> Self:
        """Check the Postgres and make the pool.

        Raises `DatabaseRefused` with one line for the user, or `DatabaseUnreachable`.
        """
        await check(dsn, application_name)
        pool = asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections_max,
            # Prepared statements stay on the connection for its life.
            max_inactive_connection_lifetime=0,
            timeout=CONNECT_SECONDS_MAX,
            reset=_nothing,
            server_settings={**_SESSION, "application_name": application_name},
        )
        await pool
        return cls(dsn, application_name, pool)

    async def session(self, application_name: str | None = None) -> Connection:
        """A connection outside the pool; whoever asks for it closes it."""
        return await connect(self.dsn, application_name or self.application_name)

    async def close(self) -> None:
        """Close the pool; what is under way gets a moment, then is cut off."""
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                await self.pool.close()
        except TimeoutError:
            self.pool.terminate()


def engine(dsn: str, application_name: str = "tapefold api", *, connections_max: int = 5) -> AsyncEngine:
    """An engine for queries written with SQLAlchemy Core.

    Each statement is its own transaction, which saves two round trips. For several on one snapshot ask for
    `execution_options(isolation_level="REPEATABLE READ")`.
    """

    async def creator() -> Connection:
        return await connect(dsn, application_name)

    made = create_async_engine(
        # asyncpg alone reads the DSN, so both ways in understand the same ones, sockets included.
        "postgresql+asyncpg://",
        async_creator=creator,
        isolation_level="AUTOCOMMIT",
        pool_size=connections_max,
        max_overflow=0,
        pool_use_lifo=True,
    )
    event.listen(made.sync_engine, "checkout", _refuse_closed)
    return made


async def check(dsn: str, application_name: str) -> None:
    """Refuse a Postgres that is too old, could lose what it acknowledged, or hides behind a pooler."""
    first = await connect(dsn, application_name)
    try:
        await _check_settings(first)
        second = await connect(dsn, application_name)
        try:
            await _check_sessions(first, second)
        finally:
            second.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as error:
        raise DatabaseUnreachable(f"lost the database while checking it: {one_line(error)}") from error
    finally:
        first.terminate()


async def _check_settings(connection: Connection) -> None:
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        try:
            row = await connection.fetchrow(
                "SELECT current_setting('server_version_num')::int AS version,"
                " current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,"
                " current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby"
            )
        except asyncpg.InvalidSQLStatementNameError as error:
            raise DatabaseRefused(_POOLER) from error
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    major = row["version"] // 10_000
    if major < VERSION_MIN:
        raise DatabaseRefused(f"PostgreSQL {major} is too old: at least {VERSION_MIN} is needed")
    for name in ("fsync", "full_page_writes"):
        if row[name] != "on":
            raise DatabaseRefused(
                f"the database has {name} = {row[name]}, so it can lose what it acknowledged: set it to on"
            )
    if row["encoding"] != "UTF8":
        raise DatabaseRefused(
            f"the database has the encoding {row['encoding']}: one made with UTF8 is needed"
        )
    if row["standby"]:
        raise DatabaseRefused("the database is a standby, which can only be read: name the primary")


_POOLER: Final = (
    "the database is behind a pooler that shares sessions, where locks and LISTEN fail silently:"
    " name Postgres itself, or a pooler in session mode"
)


async def _check_sessions(first: Connection, second: Connection) -> None:
    """Two sessions of ours are two of the server's, each stays the same, and what is said reaches both."""
    heard = asyncio.Event()

    def hear(*_: Any) -> None:
        heard.set()

    try:
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            mine = await first.fetchval("SELECT pg_backend_pid()")
            channel = f"tapefold_probe_{mine}"
            await first.add_listener(channel, hear)
            async with second.transaction():
                # The pooler must find another session for us while this one is in a transaction.
                other = await second.fetchval("SELECT pg_backend_pid()")
                again = await first.fetchval("SELECT pg_backend_pid()")
            await second.execute(f"NOTIFY {channel}")
            await heard.wait()
    except TimeoutError as error:
        raise DatabaseRefused(_POOLER) from error
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError) as error:
        raise DatabaseRefused(_POOLER) from error
    if other == mine or again != mine:
        raise DatabaseRefused(_POOLER)


async def _nothing(_connection: Any) -> None:
    """The reset of our pool."""


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    # The pool answers by making a new one. Costs nothing, where a ping would cost a round trip.
    if dbapi_connection.driver_connection.is_closed():
        raise exc.DisconnectionError


def one_line(error: BaseException) -> str:
    """What an error of the connection says, on one line. None of asyncpg's messages holds the password."""
    return " ".join(str(error).split()) or type(error).__name__

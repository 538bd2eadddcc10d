"""The tables of the schemas `tape` and `identity`, brought up to date at every start.

Schema `read` is not here: it is a fold, rebuilt when its shape changes. Alembic takes a second to import, so
that happens only when one cheap query shows that a migration is due. `REVISIONS` lists them for that; a test
holds it to the scripts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg
from asyncpg.connection import Connection

from daemon.database import DatabaseRefused, DatabaseUnreachable, connect, engine
from ops.errors import StartError

REVISIONS: Final = ("0001", "0002", "0003", "0004")
"""In order; the last one is what this version of Tapefold needs."""

APPLICATION: Final = "tapefold migrations"
LOCK_CLASS: Final = 0x7461_7066
"""First half of the advisory lock's key; the log's claims use another."""


async def migrate(dsn: str, *, tapes: int = 1) -> None:
    """Bring the schemas up to date, whoever comes first; the others wait and find it done.

    `tapes` counts only when the log is made. Raises `StartError` with one line for the user.
    """
    try:
        connection = await connect(dsn, APPLICATION)
    except (DatabaseRefused, DatabaseUnreachable) as error:
        raise StartError(str(error)) from error
    try:
        if not await _due(connection):
            return
        # Session-long, so that it is freed if we are killed.
        await connection.execute(f"SELECT pg_advisory_lock({LOCK_CLASS}, 0)")
        if await _due(connection):
            await connection.execute("CREATE SCHEMA IF NOT EXISTS tape")
            await _upgrade(dsn, tapes)
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(f"the database user may not make our tables: {error}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise StartError(f"cannot bring the database up to date: {error}") from error
    finally:
        connection.terminate()


async def _due(connection: Connection) -> bool:
    try:
        found = await connection.fetchval("SELECT version_num FROM tape.alembic_version")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return True
    if found is not None and found not in REVISIONS:
        raise StartError(
            f"the database was made by a newer Tapefold (its revision is {found}, this one knows up to"
            f" {REVISIONS[-1]}): start that version, or a later one"
        )
    return bool(found != REVISIONS[-1])


async def _upgrade(dsn: str, tapes: int) -> None:
    from alembic import command  # 0.9 s
    from alembic.config import Config
    from sqlalchemy import Connection as SyncConnection
    from sqlalchemy.exc import DBAPIError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["tapes"] = tapes

    def upgrade(connection: SyncConnection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, REVISIONS[-1])

    migrating = engine(dsn, APPLICATION, connections_max=1)
    try:
        async with migrating.connect() as plain:
            # One transaction for all: a kill leaves the old schema or the new one.
            connection = await plain.execution_options(isolation_level="READ COMMITTED")
            async with connection.begin():
                await connection.run_sync(upgrade)
    except DBAPIError as error:
        cause = " ".join(str(error.orig).split())
        raise StartError(f"cannot bring the database up to date: {cause}") from error
    finally:
        await migrating.dispose()

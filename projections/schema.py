"""The schema of the read models: made from its tables, under a fingerprint of them.

Read models are folds, so there are no migrations: another fingerprint means to drop and fold again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import CreateIndex, CreateTable

from projections.folding import PROJECTIONS
from projections.model import DIALECT, SCHEMA
from projections.progress import PROGRESS

PROJECTION_VERSION: Final = 1
"""Raised by hand when a fold changes: the same journal would then give other rows in the same tables."""

MODELS: Final = (PROGRESS, *(projection.model for projection in PROJECTIONS))

_LOCK: Final = 0x7461_7065_7265_6164
"""Key of the advisory lock under which the schema is made."""


def tables_ddl(schema: str = SCHEMA) -> list[str]:
    """The statements that make the tables."""
    return [_compile(CreateTable(table)) for table in _tables(schema)]


def indexes_ddl(schema: str = SCHEMA) -> list[str]:
    """The statements that make the indexes of queries."""
    return [
        _compile(CreateIndex(index))
        for table in _tables(schema)
        for index in sorted(table.indexes, key=lambda each: str(each.name))
    ]


def fingerprint() -> str:
    """SHA-256 (hex) of everything that the stored rows depend on."""
    text = "\n".join((*tables_ddl(), *indexes_ddl(), str(PROJECTION_VERSION)))
    return hashlib.sha256(text.encode()).hexdigest()


async def prepare(connection: Any) -> bool:
    """Make sure that the tables are there and of this version; True if they are new and thus empty.

    Then a rebuild is due: the projector would fold all from the start too, but slower.
    """
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if await _is_current(connection):
            return False
        await create(connection, SCHEMA)
        await create_indexes((connection,), SCHEMA)
        await seal(connection, SCHEMA)
    return True


async def is_there(connection: Any) -> bool:
    """Whether the tables are of this version; made if there are none, left alone if they are of another.

    For who only reads: it must not take the tables away from others who are in the middle of an update.
    """
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if await connection.fetchval(f"SELECT to_regnamespace('{SCHEMA}')") is not None:
            return await _is_current(connection)
        await create(connection, SCHEMA)
        await create_indexes((connection,), SCHEMA)
        await seal(connection, SCHEMA)
    return True


async def create(connection: Any, schema: str) -> None:
    """Drop the schema and make its tables, empty and without the indexes of queries; `seal` ends it."""
    await drop(connection, schema)
    await connection.execute(f"CREATE SCHEMA {schema}")
    await connection.execute(f"CREATE TABLE {schema}.schema_version (fingerprint text PRIMARY KEY)")
    for statement in tables_ddl(schema):
        await connection.execute(statement)


async def create_indexes(connections: Sequence[Any], schema: str) -> None:
    """Make the indexes of queries, and let the planner know the tables; each connection takes its share."""
    waiting = deque((*indexes_ddl(schema), *(f"ANALYZE {schema}.{model.name}" for model in MODELS)))

    async def work(connection: Any) -> None:
        # A sample is enough to tell a large table from a small one.
        await connection.execute("SET default_statistics_target = 10")
        while waiting:
            await connection.execute(waiting.popleft())
        await connection.execute("RESET default_statistics_target")

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(work(connection))


async def seal(connection: Any, schema: str) -> None:
    """Say that the schema is whole: without it the next start makes it again."""
    await connection.execute(f"INSERT INTO {schema}.schema_version (fingerprint) VALUES ($1)", fingerprint())


async def drop(connection: Any, schema: str) -> None:
    """Drop the schema with all its rows."""
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


async def _is_current(connection: Any) -> bool:
    if await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.schema_version')") is None:
        return False
    stored = await connection.fetchval(f"SELECT fingerprint FROM {SCHEMA}.schema_version")
    return bool(stored == fingerprint())


def _tables(schema: str) -> list[Table]:
    if schema == SCHEMA:
        return [model.table for model in MODELS]
    metadata = MetaData()
    return [model.table.to_metadata(metadata, schema=schema) for model in MODELS]


def _compile(statement: CreateTable | CreateIndex) -> str:
    return str(statement.compile(dialect=DIALECT)).strip()

"""Moving an installation to another log: copy, prove, bind. Until the last step nothing has changed.

While a copy is under way the table `tape.copying` names its target. So whoever begins it again knows what
stands there to be the rest of an earlier try, and not somebody's log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from asyncpg.exceptions import UndefinedTableError

from daemon.database import Database
from daemon.settings import PREFIX
from ops.errors import StartError
from ops.installation import Installation
from ops.log_choice import EMBEDDED, name_on_kafka
from streams.log import copying, embedded_filling
from streams.log.contract import Head, Log
from streams.log.copying import CopyFailed, OnProgress, Sums
from streams.log.embedded import EmbeddedLog
from streams.log.embedded_filling import EmbeddedTarget
from streams.log.kafka_address import Brokers

APPLICATION: Final = "tapefold log copy"
LEAVE_SECONDS_MAX: Final = 3.0
"""How long sessions of a process that has just ended may still be listed."""
LOOK_SECONDS: Final = 0.1

# $1 how our own sessions begin. A process that only appends holds no claim, but has a session.
_OTHERS: Final = """
SELECT DISTINCT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'tapefold%'
    AND NOT starts_with(application_name, $1)
ORDER BY application_name
"""


class Filled(Protocol):
    """A target, with what makes a log of it."""

    async def bind(self, connection: Any) -> None:
        """Do what must be done in the transaction that binds the database to it."""

    async def open(self) -> Log:
        """The copy, to be read back."""


class Say(Protocol):
    """Makes a line of progress for so many inputs and records."""

    def __call__(self, what: str, total: int) -> OnProgress:
        """What is told how far it is."""


async def move(installation: Installation, to: Brokers | None, *, replace: bool, say: Say) -> Sequence[Sums]:
    """Copy the log of an installation whose claims are all held, and bind its database to the copy.

    `to` None: the embedded log; `replace`: though an earlier log of this database stands there. Raises
    `StartError`, `CopyFailed`, `BrokenChain`, `UnreadableRecord`, or as the logs do.
    """
    source, database = installation.log, installation.database
    await _alone(database)
    heads = [await source.head(tape) for tape in range(source.tapes)]
    name = EMBEDDED if to is None else await name_on_kafka(to)
    async with _target(database, name, to, heads, replace=replace) as (target, filled):
        sums = await copying.copy(source, target, say("copy", copying.total(heads)))
        copy = await filled.open()
        try:
            await copying.check(copy, sums, say("check", copying.total(heads)))
        finally:
            await copy.close()
        await _alone(database)
        if [await source.head(tape) for tape in range(source.tapes)] != heads:
            raise CopyFailed("somebody has written to the log meanwhile")
        async with database.pool.acquire() as connection, connection.transaction():
            await filled.bind(connection)
            await connection.execute("UPDATE tape.settings SET log = $1, tapes = $2", name, source.tapes)
            await connection.execute("DROP TABLE tape.copying")
    return sums


@asynccontextmanager
async def _target(
    database: Database, name: str, to: Brokers | None, heads: Sequence[Head], *, replace: bool
) -> AsyncIterator[tuple[copying.Target, Filled]]:
    is_ours = await _begun(database) == name
    if to is None:
        if not (is_ours or replace or await embedded_filling.is_empty(database)):
            raise StartError(
                "--to: the embedded log of this database holds an earlier log: delete it by --replace"
            )
        await _begin(database, name)
        embedded = await EmbeddedTarget.open(database, heads)
        try:
            yield embedded, _Embedded(embedded, database)
        finally:
            await embedded.close()
        return
    from streams.log.kafka_filling import KafkaTarget
    from streams.log.kafka_topics import TopicsRefused

    try:
        if not is_ours:
            await _require_empty(to, len(heads))
        await _begin(database, name)
        kafka = await KafkaTarget.open(to, len(heads))
        try:
            yield kafka, _Kafka(kafka, to, database, len(heads))
        finally:
            await kafka.close()
    except TopicsRefused as error:
        raise StartError(f"--to: {error}") from error


async def _require_empty(to: Brokers, tapes: int) -> None:
    from streams.log import kafka_topics as topics
    from streams.log.kafka_filling import is_empty

    found = await topics.check(to)
    if found not in {0, tapes}:
        raise StartError(f"--to: {to.url} has {found} tapes, and the log {tapes}: name another prefix")
    if found and not await is_empty(to, found):
        raise StartError(
            f"--to: the topics {to.tape} and {to.journal} hold another log: name another prefix after the /"
        )


class _Embedded:
    def __init__(self, target: EmbeddedTarget, database: Database) -> None:
        self._target = target
        self._database = database

    async def bind(self, connection: Any) -> None:
        await self._target.seal(connection)

    async def open(self) -> Log:
        return await EmbeddedLog.open(self._database)


class _Kafka:
    def __init__(self, target: Any, brokers: Brokers, database: Database, tapes: int) -> None:
        self._target = target
        self._brokers = brokers
        self._database = database
        self._tapes = tapes

    async def bind(self, _: Any) -> None:
        """The brokers were told before."""

    async def open(self) -> Log:
        from streams.log.kafka import KafkaLog

        # Sealed first, so that it is checked as it will be read.
        await self._target.seal()
        return await KafkaLog.open(self._brokers, self._database, self._tapes)


async def _alone(database: Database) -> None:
    """Refuse while any other process of Tapefold works on this database."""
    until = asyncio.get_running_loop().time() + LEAVE_SECONDS_MAX
    while others := await database.pool.fetch(_OTHERS, APPLICATION):
        if asyncio.get_running_loop().time() > until:
            names = ", ".join(row["application_name"] for row in others)
            raise StartError(
                f"everything must be stopped for this, API processes too; connected to the database: {names}"
            )
        await asyncio.sleep(LOOK_SECONDS)


async def _begun(database: Database) -> str | None:
    try:
        found: str | None = await database.pool.fetchval("SELECT target FROM tape.copying")
    except UndefinedTableError:
        return None
    return found


async def _begin(database: Database, name: str) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("DROP TABLE IF EXISTS tape.copying")
        await connection.execute("CREATE TABLE tape.copying (target text NOT NULL)")
        await connection.execute("INSERT INTO tape.copying VALUES ($1)", name)


def advice(url: str) -> str:
    """What is to be set from now on."""
    return f"unset {PREFIX}LOG" if url == EMBEDDED else f"set {PREFIX}LOG={url}"

"""The log that the settings name: bound to its database once, made where there is none, and opened.

Read models, keys and claims in a database are of one log alone. The first to open one writes down which.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from daemon.database import Database
from daemon.settings import PREFIX, Settings
from ops.errors import StartError
from streams.log.contract import Log, LogUnavailable
from streams.log.embedded import EmbeddedLog
from streams.log.kafka_address import Brokers, parse_url

EMBEDDED: Final = "embedded"
TAPES_DEFAULT: Final = 1
TAPES_MAX: Final = 1_000

# $1 the log, $2 its number of tapes, if that matters. Nothing, if it is bound already.
_BIND: Final = """
UPDATE tape.settings SET log = $1, tapes = coalesce($2::int, tapes) WHERE log IS NULL RETURNING tapes
"""
_ADD_HEADS: Final = """
WITH numbers AS (SELECT generate_series(0, $1::int - 1) AS tape),
journals AS (INSERT INTO tape.journal_heads (tape) SELECT tape FROM numbers ON CONFLICT DO NOTHING)
INSERT INTO tape.heads (tape) SELECT tape FROM numbers ON CONFLICT DO NOTHING
"""


async def open_log(settings: Settings, database: Database, *, tapes: int | None = None) -> Log:
    """The log that `settings` name, on its database; made with so many tapes (1 by default) if it is new.

    Raises `StartError` with one line for the user, `LogUnavailable` or what the database raises.
    """
    if settings.log == EMBEDDED:
        await _bind(database, EMBEDDED, tapes)
        return await EmbeddedLog.open(database)
    try:
        brokers = parse_url(settings.log)
    except ValueError as error:
        raise StartError(f"{PREFIX}LOG: {error}") from None
    return await _open_kafka(brokers, database, tapes)


async def _open_kafka(brokers: Brokers, database: Database, tapes: int | None) -> Log:
    # A client of its own and half a second of imports: only who asked for Kafka pays for them.
    from streams.log import kafka_topics as topics
    from streams.log.kafka import KafkaLog

    try:
        name = await name_on_kafka(brokers)
        found = await topics.check(brokers)
        if found == 0:
            if await bound_to(database) == name:
                raise StartError(
                    f"{PREFIX}LOG: the topics {brokers.tape} and {brokers.journal} are gone, and with them"
                    " all that this database is a fold of: restore them, or start with an empty database"
                )
            await topics.create(brokers, tapes or TAPES_DEFAULT)
            found = await topics.check(brokers)
        if tapes is not None and found != tapes:
            raise StartError(_other_tapes(found, tapes))
        await _bind(database, name, found)
        return await KafkaLog.open(brokers, database, found)
    except topics.TopicsRefused as error:
        raise StartError(f"{PREFIX}LOG: {error}") from error
    except LogUnavailable as error:
        raise StartError(f"{PREFIX}LOG: {error}; name brokers that answer") from error


async def name_on_kafka(brokers: Brokers) -> str:
    """What a log in these topics is called in its database. Raises `LogUnavailable`."""
    from streams.log import kafka_topics as topics

    return f"kafka {await topics.cluster_id(brokers)} {brokers.prefix}"


async def bound_to(database: Database) -> str | None:
    """The log that this database belongs to; None: to none yet."""
    found: str | None = await database.pool.fetchval("SELECT log FROM tape.settings")
    return found


async def _bind(database: Database, name: str, tapes: int | None) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        made = await connection.fetchval(_BIND, name, tapes)
        if made is not None:
            await connection.execute(_ADD_HEADS, made)
            return
        row = await connection.fetchrow("SELECT log, tapes FROM tape.settings")
    bound, held = _row(row)
    if bound != name:
        raise StartError(
            f"{PREFIX}LOG: this database belongs to the log {bound!r}, and {name!r} is named: name that one,"
            " an empty database, or move the log by `tapefold log copy`"
        )
    if tapes is not None and held != tapes:
        raise StartError(_other_tapes(held, tapes))


def _row(row: asyncpg.Record | None) -> tuple[str | None, int]:
    assert row is not None  # noqa: S101 - the migration has put it there
    return row["log"], row["tapes"]


def _other_tapes(held: int, wanted: int) -> str:
    return f"the log has {held} tapes, not {wanted}: their number is fixed when it is made"

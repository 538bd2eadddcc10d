"""Whether a server really answers: only a query tells, never a pid file or an open socket."""

from __future__ import annotations

import enum
from typing import Any

import asyncpg


class Answer(enum.Enum):
    """What came back on a `SELECT 1`."""

    READY = "it was answered"
    ALIVE = "the server answers, but takes no queries now: it starts, recovers, ends or is full"
    SILENT = "nothing came back"
    LOCKED_OUT = "the server does not accept our password"


async def ask(arguments: dict[str, Any], limit: float) -> Answer:
    """Connect anew, ask `SELECT 1`, and give up after `limit` seconds."""
    connection = None
    try:
        connection = await asyncpg.connect(**arguments, timeout=limit)
        await connection.execute("SELECT 1", timeout=limit)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        return Answer.LOCKED_OUT
    except asyncpg.PostgresError:
        return Answer.ALIVE
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return Answer.SILENT
    finally:
        if connection is not None:
            connection.terminate()
    return Answer.READY

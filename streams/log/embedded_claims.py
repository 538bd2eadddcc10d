"""Who may claim: one session advisory lock a tape, each on a session of its own.

The lock only keeps a second trader from starting beside a living one; the epoch in the journal's head is what
protects the journal. So a lost session stops nothing: the lock is taken again if nobody else has it by then.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Final, NamedTuple

import asyncpg
from asyncpg.connection import Connection

from daemon.database import Database, DatabaseRefused, DatabaseUnreachable, one_line
from streams.log import embedded_sql as sql
from streams.log.contract import ClaimHeld, LogUnavailable

RETRY_SECONDS: Final = 1.0
LOCK_SECONDS_MAX: Final = 5.0
NAME_BYTES_MAX: Final = 63

_TROUBLE: Final = (
    DatabaseUnreachable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class _Held(NamedTuple):
    session: Connection
    holder: str


class ClaimLocks:
    """The locks that this process holds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[int, _Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, tape: int, holder: str) -> None:
        """Hold the tape's lock; ours already is as good. Raises `ClaimHeld` or `LogUnavailable`."""
        held = self._held.get(tape)
        if held is not None and not held.session.is_closed():
            return
        try:
            await self._lock(tape, holder)
        except (DatabaseRefused, *_TROUBLE) as error:
            raise LogUnavailable(f"cannot claim tape {tape}: {one_line(error)}") from error

    async def confirm(self, tape: int) -> None:
        """Make sure that we hold the tape's lock now; take it again if its session was lost.

        Raises `ClaimHeld` or `LogUnavailable`.
        """
        held = self._held.get(tape)
        if held is None:
            raise ClaimHeld(f"tape {tape} is not held by this process any more")
        # A session that another has cut while this process stood still may not know it yet.
        with suppress(*_TROUBLE):
            await held.session.execute("SELECT 1", timeout=LOCK_SECONDS_MAX)
        await self.take(tape, held.holder)

    async def give(self, tape: int) -> None:
        """Let go of the tape's lock, so that another can take it as soon as this returns."""
        held = self._held.pop(tape, None)
        if held is None or held.session.is_closed():
            return
        try:
            # Closing alone would free it a moment later.
            await held.session.execute(f"SELECT pg_advisory_unlock({sql.CLAIM_LOCKS}, {tape:d})", timeout=1)
        except _TROUBLE:
            pass
        finally:
            held.session.terminate()

    async def close(self) -> None:
        """Let go of all."""
        for tape in list(self._held):
            await self.give(tape)
        for task in list(self._tasks):
            task.cancel()

    async def _lock(self, tape: int, holder: str) -> None:
        name = f"{holder}, pid {os.getpid()}"[:NAME_BYTES_MAX]
        session = await self._database.session(name)
        try:
            async with asyncio.timeout(LOCK_SECONDS_MAX):
                locked = await session.fetchval(sql.TRY_LOCK, tape)
                by = None if locked else await session.fetchval(sql.HOLDER, tape)
        except BaseException:
            session.terminate()
            raise
        if not locked:
            session.terminate()
            raise ClaimHeld(f"tape {tape} is held by {by or 'somebody who has just let go'}")
        self._held[tape] = _Held(session, holder)
        session.add_termination_listener(lambda lost: self._lost(tape, lost))

    def _lost(self, tape: int, session: Connection) -> None:
        held = self._held.get(tape)
        if held is not None and held.session is session:
            task = asyncio.create_task(self._take_again(tape, held), name=f"claim lock of tape {tape}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take_again(self, tape: int, lost: _Held) -> None:
        while self._held.get(tape) is lost:
            try:
                await self._lock(tape, lost.holder)
            except (ClaimHeld, DatabaseRefused):
                # Another has it: its claim fences us at our next commit.
                return
            except _TROUBLE:
                await asyncio.sleep(RETRY_SECONDS)

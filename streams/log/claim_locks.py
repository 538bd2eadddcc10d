"""Who may work on a tape: one session advisory lock in Postgres, each on a session of its own.

The lock only keeps a second one from starting beside a living one; what protects the log is its own fence.
So a lost session stops nothing: the lock is taken again if nobody else has it by then.

A process that is killed lets go at once. One that stands still does not, so each session gives a sign of life
every second, and whoever finds one silent for long cuts it off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import structlog
from asyncpg.connection import Connection
from asyncpg.pool import Pool

from daemon.database import TROUBLE, Database, DatabaseRefused, one_line
from streams.log.contract import ClaimHeld, LogUnavailable

CLAIMS: Final = 0x7461_7065
"""First half of the key of the lock that a trader's claim holds; the second is the tape."""
PROJECTIONS: Final = 0x7461_7068
"""The same for a tape's projector."""
PUBLISHERS: Final = 0x7461_706F
"""The same for a tape's publisher."""

BEAT_SECONDS: Final = 1.0
SILENT_SECONDS_MAX: Final = 5.0
"""How long a session may give no sign of life before another may cut it off."""
RETRY_SECONDS: Final = 1.0
LOCK_SECONDS_MAX: Final = 5.0
NAME_BYTES_MAX: Final = 63

_log = structlog.get_logger("claims")


# $1 kind, $2 tape.
_TRY: Final = "SELECT pg_try_advisory_lock($1::int, $2::int)"
_UNLOCK: Final = "SELECT pg_advisory_unlock({kind:d}, {tape:d})"
# $1 kind, $2 tape. Who holds it, as that session calls itself, and for how long it has said nothing.
_HOLDER: Final = """
SELECT session.pid, session.application_name AS name,
    extract(epoch FROM clock_timestamp() - session.state_change)::float8 AS silent
FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2
    AND lock.classid = $1::int::oid AND lock.objid = $2::int::oid
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# Waits so long (ms) until it is gone.
_CUT: Final = "SELECT pg_terminate_backend($1::int, 2000)"


# $1 kind.
_HELD: Final = """
SELECT objid::int AS tape FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = $1::int::oid
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def claimed(pool: Pool, kind: int) -> frozenset[int]:
    """The tapes whose lock of this kind some process holds. Raises as asyncpg does."""
    return frozenset(row["tape"] for row in await pool.fetch(_HELD, kind))


# $1 kind.
_HOLDERS: Final = """
SELECT lock.objid::int AS tape, session.application_name AS name
FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2 AND lock.classid = $1::int::oid
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def holders(pool: Pool, kind: int) -> Mapping[int, str]:
    """Who holds the lock of this kind of each tape that is held. Raises as asyncpg does."""
    return {row["tape"]: row["name"] for row in await pool.fetch(_HOLDERS, kind)}


class _Held(NamedTuple):
    session: Connection
    holder: str


class ClaimLocks:
    """The locks of one kind that this process holds."""

    def __init__(self, database: Database, kind: int = CLAIMS) -> None:
        self._database = database
        self._kind = kind
        self._held: dict[int, _Held] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._beating: asyncio.Task[None] | None = None

    async def take(self, tape: int, holder: str) -> None:
        """Hold the tape's lock; ours already is as good. Raises `ClaimHeld` or `LogUnavailable`."""
        held = self._held.get(tape)
        if held is not None and not held.session.is_closed():
            return
        try:
            await self._lock(tape, holder)
        except (DatabaseRefused, *TROUBLE) as error:
            raise LogUnavailable(f"cannot claim tape {tape}: {one_line(error)}") from error

    async def confirm(self, tape: int) -> None:
        """Make sure that we hold the tape's lock now; take it again if its session was lost.

        Raises `ClaimHeld` or `LogUnavailable`.
        """
        held = self._held.get(tape)
        if held is None:
            raise ClaimHeld(f"tape {tape} is not held by this process any more")
        # A session that another has cut while this process stood still may not know it yet.
        with suppress(*TROUBLE):
            await held.session.execute("SELECT 1", timeout=LOCK_SECONDS_MAX)
        await self.take(tape, held.holder)

    async def give(self, tape: int) -> None:
        """Let go of the tape's lock, so that another can take it as soon as this returns."""
        held = self._held.pop(tape, None)
        if held is None or held.session.is_closed():
            return
        try:
            # Closing alone would free it a moment later.
            await held.session.execute(_UNLOCK.format(kind=self._kind, tape=tape), timeout=1)
        except TROUBLE:
            pass
        finally:
            held.session.terminate()

    async def close(self) -> None:
        """Let go of all."""
        for tape in list(self._held):
            await self.give(tape)
        if self._beating is not None:
            self._beating.cancel()
        for task in list(self._tasks):
            task.cancel()

    async def _lock(self, tape: int, holder: str) -> None:
        name = f"{holder}, pid {os.getpid()}"[:NAME_BYTES_MAX]
        session = await self._database.session(name)
        try:
            async with asyncio.timeout(LOCK_SECONDS_MAX):
                by = await self._try(session, tape)
        except BaseException:
            session.terminate()
            raise
        if by is not None:
            session.terminate()
            raise ClaimHeld(f"tape {tape} is held by {by}")
        self._held[tape] = _Held(session, holder)
        session.add_termination_listener(lambda lost: self._lost(tape, lost))
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="signs of life")

    async def _try(self, session: Connection, tape: int) -> str | None:
        """Take the lock on this session; who holds it if that cannot be."""
        if await session.fetchval(_TRY, self._kind, tape):
            return None
        holder = await session.fetchrow(_HOLDER, self._kind, tape)
        if holder is None:
            return "somebody who has just let go"
        name = str(holder["name"])
        if holder["silent"] > SILENT_SECONDS_MAX:
            _log.warning("cutting off who stands still", tape=tape, holder=name, seconds=holder["silent"])
            await session.fetchval(_CUT, holder["pid"])
            if await session.fetchval(_TRY, self._kind, tape):
                return None
        return name

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            for held in list(self._held.values()):
                if not held.session.is_closed():
                    # One that does not answer is lost: its listener sees to that.
                    with suppress(*TROUBLE):
                        await held.session.execute("SELECT 1", timeout=LOCK_SECONDS_MAX)

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
            except TROUBLE:
                await asyncio.sleep(RETRY_SECONDS)

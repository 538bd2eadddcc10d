"""How many of a log's tapes one worker may hold, so that as many workers as there are share them evenly.

Each worker is a session in Postgres that holds a shared lock for its life: the list of the living is the same
for all, and so is what each of them makes of it. Nobody assigns anything. A worker takes tapes that are free
while it holds fewer than its share, and gives up what it holds beyond that once others have come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from daemon.database import TROUBLE, Database, DatabaseRefused, one_line

WORKERS_LOCK: Final = 0x7461_7069
"""First half of the key of the lock that every worker shares; the second is 0."""
LOOK_SECONDS: Final = 0.25
ANSWER_SECONDS_MAX: Final = 5.0
SILENT_SECONDS_MAX: Final = 5.0
"""A worker that has not looked for so long is not counted: it stands still."""

# $1 the lock.
_ENLIST: Final = "SELECT pg_try_advisory_lock_shared($1::int, 0), pg_backend_pid()"
# $1 the lock, $2 how many seconds a worker may be silent.
_WORKERS: Final = """
SELECT session.pid FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2
    AND lock.classid = $1::int::oid AND lock.objid = 0::oid
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (session.state = 'active' OR
        session.state_change > clock_timestamp() - make_interval(secs => $2::float8))
ORDER BY session.pid
"""

_TROUBLE: Final = (DatabaseRefused, *TROUBLE)

_log = structlog.get_logger("sharing")


def share_of(tapes: int, place: int, workers: int) -> int:
    """The number of tapes of the worker at this place among so many; together they are all."""
    return tapes * (place + 1) // workers - tapes * place // workers


class Share:
    """One worker's tapes: those it holds or is trying to take, and how many those may be at most."""

    def __init__(self, tapes: int) -> None:
        self.most = tapes
        self._closed = False
        self._tapes = tapes
        self._held: set[int] = set()
        self._leave = [asyncio.Event() for _ in range(tapes)]

    @property
    def held(self) -> frozenset[int]:
        """What this worker holds or is trying to take."""
        return frozenset(self._held)

    def leave(self, tape: int) -> asyncio.Event:
        """Set while this worker must not hold the tape: it has too many, or is about to end."""
        return self._leave[tape]

    def close(self) -> None:
        """Leave all, for good: this process is about to end."""
        self.most, self._closed = 0, True
        for each in self._leave:
            each.set()

    def take(self, tape: int) -> bool:
        """Whether this worker may try to take a tape now. Whoever may gives it back by `give`."""
        if len(self._held) >= self.most or self._leave[tape].is_set():
            return False
        self._held.add(tape)
        return True

    def give(self, tape: int) -> None:
        """The tape is not held, or not any more."""
        self._held.discard(tape)
        if len(self._held) < self.most:
            for each in self._leave:
                each.clear()

    def allow(self, most: int) -> None:
        """Hold so many at most from now on; the tapes beyond that are to be left."""
        self.most = most
        surplus = sorted(self._held)[most:]
        for tape, leave in enumerate(self._leave):
            if tape in surplus:
                leave.set()
            else:
                leave.clear()

    async def watch(self, database: Database) -> None:
        """Be one of the workers of this database, and go by how many there are. Never returns."""
        while True:
            try:
                await self._enlisted(database)
            except _TROUBLE as error:
                # What is held stays held: nobody can take it over either.
                _log.warning("cannot see the other workers", error=one_line(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _enlisted(self, database: Database) -> None:
        session = await database.session("tapefold worker")
        try:
            row = await session.fetchrow(_ENLIST, WORKERS_LOCK, timeout=ANSWER_SECONDS_MAX)
            mine = row["pg_backend_pid"] if row is not None else None
            while True:
                await self._look(session, mine)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            with suppress(*_TROUBLE):
                session.terminate()

    async def _look(self, session: Any, mine: int | None) -> None:
        rows = await session.fetch(_WORKERS, WORKERS_LOCK, SILENT_SECONDS_MAX, timeout=ANSWER_SECONDS_MAX)
        workers: Sequence[int] = [row["pid"] for row in rows]
        if mine not in workers:
            return
        most = share_of(self._tapes, workers.index(mine), len(workers))
        if most != self.most and not self._closed:
            _log.info("share", tapes=most, of=self._tapes, workers=len(workers))
            self.allow(most)

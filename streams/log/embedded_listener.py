"""How far tapes and journals have grown: learned from our own calls, and by LISTEN from other processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from daemon.database import TROUBLE, Database, DatabaseRefused
from streams.log import embedded_sql as sql
from streams.log.wakeups import Bell

RETRY_SECONDS: Final = 0.5

_TROUBLE: Final = (DatabaseRefused, *TROUBLE)


class Growth:
    """The ends of one tape as far as this process has heard. They only grow."""

    def __init__(self) -> None:
        self.tape = self.journal = self.reached = -1
        self.tape_bell = Bell()
        self.journal_bell = Bell()

    def tape_grew(self, last: int) -> None:
        """The tape holds an input at `last`."""
        if last > self.tape:
            self.tape = last
            self.tape_bell.ring()

    def journal_grew(self, last: int, reached: int) -> None:
        """The journal holds a record at `last` and has come to `reached`."""
        if last > self.journal or reached > self.reached:
            self.journal = max(last, self.journal)
            self.reached = max(reached, self.reached)
            self.journal_bell.ring()


class Listener:
    """Keeps one session that listens, and makes it again when it is lost.

    Meanwhile nothing is missed for long: every wait ends after a second and its caller reads again.
    """

    def __init__(self, database: Database, tapes: Sequence[Growth], own: set[int]) -> None:
        """`own` holds the sessions of our own calls, which tell of growth when they have their answer."""
        self._database = database
        self._own = own
        self._tapes = tapes
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.create_task(self._listen(), name="log listener")

    async def stop(self) -> None:
        """End listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            # Whoever reads is told; a start that cannot work at all was refused before.
            with suppress(*_TROUBLE):
                await self._listen_once()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        session = await self._database.session()
        # A server that was started again gives its numbers anew. If one is taken for ours by mistake, what it
        # stores is found within a second.
        self._own.clear()
        try:
            session.add_termination_listener(lambda _: lost.set())
            await session.add_listener(sql.CHANNEL, self._hear)
            # Listening first, then looking: what happens in between is heard.
            for row in await session.fetch(sql.HEADS):
                growth = self._tapes[row["tape"]]
                growth.tape_grew(row["last"])
                growth.journal_grew(row["journal"], row["reached"])
            await lost.wait()
        finally:
            session.terminate()

    def _hear(self, _session: Any, pid: int, _channel: str, payload: object) -> None:
        if pid in self._own:
            # A notification may be here before the answer, and with it what was stored: who woke now would
            # have to ask the database for it.
            return
        kind, tape, *ends = str(payload).split()
        growth = self._tapes[int(tape)]
        if kind == "t":
            growth.tape_grew(int(ends[0]))
        else:
            growth.journal_grew(int(ends[0]), int(ends[1]))

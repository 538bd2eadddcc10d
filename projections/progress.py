"""How far the read models are: one row a tape, and waiting for an offset inside this process."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from daemon.records import GENESIS
from projections.inputs import InputRow
from projections.model import Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, table


class ProgressRow(Row):
    """One tape's progress."""

    tape: Count
    generation: Long
    """Raised by every projector that starts, so that an earlier one ends."""
    journal_offset: Long
    tape_offset: Long
    hash: str
    """SHA-256 of the journal record at `journal_offset`."""
    at: Long
    """The log's time of the input at `tape_offset`."""
    now: Long
    """The trader's `now` there."""


TABLE: Final = table("progress", ProgressRow, ("tape",))


class Reached(NamedTuple):
    """The offsets that a fold has reached, and what it needs to go on from there."""

    journal_offset: int
    tape_offset: int
    hash: str
    at: int
    now: int


START: Final = Reached(-1, -1, GENESIS, 0, 0)
PROGRESS: Final = Model(TABLE, ProgressRow)
_PROGRESS: Final = Query(
    select(*columns(TABLE)), PROGRESS.read, filters=equals(TABLE, "tape"), order=(TABLE.c.tape,)
)


async def get_progress(reader: Reader, tape: int) -> ProgressRow | None:
    """A tape's progress; None before its first projector."""
    return await _PROGRESS.one(reader, tape=tape)


async def list_progress(reader: Reader) -> list[ProgressRow]:
    """The progress of all tapes."""
    return await _PROGRESS.all(reader)


class Projected(NamedTuple):
    """Whether an input can be read now, and its row where it was at hand."""

    done: bool
    row: InputRow | None


class Progress:
    """The offsets that the projectors of this process have reached, to be waited for."""

    def __init__(self) -> None:
        self._projected: dict[int, int] = {}
        self._waiting: defaultdict[int, list[tuple[int, int, asyncio.Future[InputRow | None]]]] = defaultdict(
            list
        )
        self._numbers = itertools.count()
        self._wanted = asyncio.Event()

    def projected(self, tape: int) -> int:
        """The last tape offset whose rows can be read; −1 before the first."""
        return self._projected.get(tape, -1)

    def advance(self, tape: int, offset: int, written: Mapping[Any, Any] | None = None) -> None:
        """The rows of all inputs up to `offset` can be read now; `written` holds the newest by their keys.

        A smaller one than before is true after a crash of the database: the rows will be written again.
        """
        self._projected[tape] = offset
        waiting = self._waiting[tape]
        while waiting and waiting[0][0] <= offset:
            wanted, _, future = heapq.heappop(waiting)
            if not future.done():
                future.set_result(None if written is None else written.get((tape, wanted)))

    async def wanted(self, seconds: float) -> None:
        """Return when somebody waits, or after so long."""
        if any(not future.done() for waiting in self._waiting.values() for _, _, future in waiting):
            return
        self._wanted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()

    async def wait(self, tape: int, offset: int, seconds: float) -> bool:
        """Wait until `offset` is projected, at most so long; says whether it is."""
        return (await self.wait_row(tape, offset, seconds)).done

    async def wait_row(self, tape: int, offset: int, seconds: float) -> Projected:
        """The same, with the input's row if it was written meanwhile: it need not be read back."""
        if self.projected(tape) >= offset:
            return Projected(done=True, row=None)
        self._wanted.set()
        future: asyncio.Future[InputRow | None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting[tape], (offset, next(self._numbers), future))
        try:
            async with asyncio.timeout(seconds):
                return Projected(done=True, row=await future)
        except TimeoutError:
            return Projected(done=False, row=None)

"""The live facts behind health and metrics, gathered from the stages of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import structlog
from asyncpg.pool import Pool

from api.ports import Halt, TapeHealth
from daemon import clock
from daemon.domain.values import Owner
from daemon.metrics import Metrics
from projections.marks import newest_by_source
from projections.progress import Progress
from streams.log.contract import Log
from streams.standing import Standing, tape_of

LOOK_SECONDS: Final = 1.0
"""Between two looks at the database."""
LOOK_SECONDS_MAX: Final = 5.0

_log = structlog.get_logger("status")


class LiveStatus:
    """What is true now. Nothing here waits but `watch`, which looks at the database once a second."""

    def __init__(
        self, standing: Standing, progress: Progress, metrics: Metrics, pool: Pool, log: Log
    ) -> None:
        self._standing = standing
        self._progress = progress
        self._metrics = metrics
        self._pool = pool
        self._inputs = log
        self._began = clock.monotonic()
        self._database_up = True
        self._newest: Mapping[str, int] = {}
        self._said: dict[tuple[str, int], int | None] = {}
        """What the table says of the stages that run here: the offset at which they stand still, if any."""
        self._waits: Mapping[tuple[int, int], int] = {}
        """When inputs were appended (ms) that were found waiting, by tape and offset."""
        self.rebuilding = False
        self.stopping = False

    def is_database_up(self) -> bool:
        """Whether the last look at the database succeeded."""
        return self._database_up

    def is_rebuilding(self) -> bool:
        """Whether the read models are being rebuilt and must not be served yet."""
        return self.rebuilding

    def halts(self) -> Sequence[Halt]:
        """The stages that stand still."""
        return [Halt(*each[:4]) for each in self._standing.halted.values()]

    def is_halted(self, tape: int) -> bool:
        """Whether trader or projector of this tape stand still."""
        return self._standing.is_halted(tape)

    def tapes(self) -> Sequence[TapeHealth]:
        """How far everybody is on each tape."""
        found = []
        for number, each in enumerate(self._standing.tapes):
            projected = self._progress.projected(number)
            waits = max(each.appended.age(each.reached), self._age(number, each.reached))
            unprojected = max(each.decided.age(projected), self._age(number, projected))
            ends = (each.head, each.reached, projected, waits, unprojected)
            found.append(TapeHealth(number, *ends, each.trading, each.projecting))
        return found

    def _age(self, tape: int, passed: int) -> float:
        """Seconds since the oldest input found waiting behind `passed` was appended; 0 if none was found."""
        found = [at for (number, offset), at in self._waits.items() if number == tape and offset > passed]
        return max(0, clock.now_ms() - min(found)) / 1000 if found else 0.0

    def tape_of(self, owner: str) -> int:
        """The tape that an owner lives on."""
        return tape_of(Owner(owner), len(self._standing.tapes))

    def price_ages(self) -> Mapping[str, float]:
        """Seconds since the newest accepted reading, by source."""
        now = clock.now_ms()
        return {source: max(0, now - at) / 1000 for source, at in self._newest.items()}

    def unready(self) -> Sequence[str]:
        """Further reasons why no traffic should come here."""
        reasons = [
            f"the trader of tape {number} has not started"
            for number, each in enumerate(self._standing.tapes)
            if not (each.trading or each.traded)
        ]
        reasons += [
            f"tape {number} cannot be written: {each.unwritable}"
            for number, each in enumerate(self._standing.tapes)
            if each.unwritable is not None
        ]
        return [*reasons, "shutting down"] if self.stopping else reasons

    def uptime_seconds(self) -> float:
        """Since when the process serves."""
        return clock.monotonic() - self._began

    async def watch(self) -> None:
        """Look at the database again and again, and leave there which stages stand still."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS_MAX):
                    self._newest = await newest_by_source(self._pool)
                    await self._tell_halts()
                    await self._look_back()
                self._database_up = True
            except Exception as error:  # noqa: BLE001 - whatever it is, the database is not as it must be
                if self._database_up:
                    _log.warning("database does not answer", error=str(error) or type(error).__name__)
                self._database_up = False
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_back(self) -> None:
        """See since when inputs wait: a process that has just started has not seen them come."""
        found = {}
        for number, each in enumerate(self._standing.tapes):
            for after in {each.reached, self._progress.projected(number)}:
                if after < each.head:
                    for record in await self._inputs.read_tape(number, after, 1):
                        found[number, record.offset] = record.at
        self._waits = found

    async def _tell_halts(self) -> None:
        """Other commands (`tapefold halted`) and other processes read the table."""
        here = dict.fromkeys(self._here())
        here |= {key: each.offset for key, each in self._standing.halted.items() if not each.elsewhere}
        for (stage, tape), offset in here.items():
            if self._said.get((stage, tape), -1) == offset:
                continue
            error = None if offset is None else self._standing.halted[stage, tape].error
            state = "running" if offset is None else "halted"
            await self._pool.execute(_TELL, stage, tape, state, offset, error)
        self._said = here

    def _here(self) -> Iterator[tuple[str, int]]:
        """The stages that run in this process."""
        for number, each in enumerate(self._standing.tapes):
            if each.trading:
                yield "trader", number
            if each.projecting:
                yield "projector", number


_TELL: Final = """
INSERT INTO identity.stages (stage, tape, state, "offset", error, updated_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (stage, tape) DO UPDATE
SET state = excluded.state, "offset" = excluded."offset", error = excluded.error,
    updated_at = excluded.updated_at
"""

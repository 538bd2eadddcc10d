"""The live facts behind health and metrics, gathered from the stages of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from asyncpg.pool import Pool

from api.ports import Halt, TapeHealth
from daemon import clock
from daemon.domain.values import Owner
from daemon.metrics import Metrics
from projections.marks import newest_by_source
from projections.progress import Progress
from streams.standing import Standing, tape_of

LOOK_SECONDS: Final = 1.0
"""Between two looks at the database."""
LOOK_SECONDS_MAX: Final = 5.0

_log = structlog.get_logger("status")


class LiveStatus:
    """What is true now. Nothing here waits but `watch`, which looks at the database once a second."""

    def __init__(self, standing: Standing, progress: Progress, metrics: Metrics, pool: Pool) -> None:
        self._standing = standing
        self._progress = progress
        self._metrics = metrics
        self._pool = pool
        self._began = clock.monotonic()
        self._database_up = True
        self._newest: Mapping[str, int] = {}
        self._said_halted: frozenset[tuple[str, int, int]] | None = None
        """What the table says; None: what an earlier process left there."""
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
        return [Halt(*each) for each in self._standing.halted.values()]

    def is_halted(self, tape: int) -> bool:
        """Whether trader or projector of this tape stand still."""
        return self._standing.is_halted(tape)

    def tapes(self) -> Sequence[TapeHealth]:
        """How far everybody is on each tape."""
        found = []
        for number, each in enumerate(self._standing.tapes):
            projected = self._progress.projected(number)
            waits, unprojected = each.appended.age(each.reached), each.decided.age(projected)
            found.append(TapeHealth(number, each.head, each.reached, projected, waits, unprojected))
        return found

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
            if not each.trading
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
                self._database_up = True
            except Exception as error:  # noqa: BLE001 - whatever it is, the database is not as it must be
                if self._database_up:
                    _log.warning("database does not answer", error=str(error) or type(error).__name__)
                self._database_up = False
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_halts(self) -> None:
        """Other commands (`tapefold halted`) read the table."""
        now = frozenset((each.stage, each.tape, each.offset) for each in self._standing.halted.values())
        if self._said_halted is None:
            if not any(each.trading for each in self._standing.tapes):
                return  # another process may stand still, and its rows are true
            await self._pool.execute("UPDATE identity.stages SET state = 'running' WHERE state = 'halted'")
            self._said_halted = frozenset()
        if now == self._said_halted:
            return
        rows: list[tuple[Any, ...]] = [
            (each.stage, each.tape, "halted", each.offset, each.error)
            for each in self._standing.halted.values()
        ]
        gone = [
            (stage, tape)
            for stage, tape, _ in self._said_halted
            if (stage, tape) not in self._standing.halted
        ]
        rows.extend((stage, tape, "running", None, None) for stage, tape in gone)
        await self._pool.executemany(_TELL, rows)
        self._said_halted = now


_TELL: Final = """
INSERT INTO identity.stages (stage, tape, state, "offset", error, updated_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (stage, tape) DO UPDATE
SET state = excluded.state, "offset" = excluded."offset", error = excluded.error,
    updated_at = excluded.updated_at
"""

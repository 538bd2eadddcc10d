"""Parts of the API that fail on request, so that every failure's answer can be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from api.identity.keys import KeyRing, Principal
from api.ports import Deps, Halt, TapeHealth
from daemon.domain.commands import Input
from daemon.domain.values import Owner
from daemon.metrics import Metrics
from projections.progress import Projected
from projections.query import Reader
from streams.intake import Recorded


class StubIntake:
    """Takes everything, or raises `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.taken: list[Input] = []

    async def put(self, item: Input) -> Recorded:
        if self.error is not None:
            raise self.error
        self.taken.append(item)
        return Recorded(0, len(self.taken) - 1)

    async def put_everywhere(self, item: Input) -> Sequence[Recorded]:
        return [await self.put(item)]


class StubProgress:
    """Never projects anything; `waited` holds who asked."""

    def __init__(self) -> None:
        self.waited: list[tuple[int, int, float]] = []

    async def wait_row(self, tape: int, offset: int, seconds: float) -> Projected:
        self.waited.append((tape, offset, seconds))
        await asyncio.sleep(0)
        return Projected(done=False, row=None)


class StubStatus:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.database_up = True
        self.rebuilding = False
        self.halted: list[Halt] = []
        self.reasons: list[str] = []
        self.health = TapeHealth(0, 10, 8, 7, 1.5, 2.5, trading=True, projecting=True)
        self.ages: dict[str, float] = {"feed": 3.0}

    def is_database_up(self) -> bool:
        return self.database_up

    def is_rebuilding(self) -> bool:
        return self.rebuilding

    def halts(self) -> Sequence[Halt]:
        return self.halted

    def is_halted(self, tape: int) -> bool:
        return any(halt.tape == tape for halt in self.halted)

    def tapes(self) -> Sequence[TapeHealth]:
        return [self.health]

    def tape_of(self, owner: str) -> int:
        return 0

    def price_ages(self) -> Mapping[str, float]:
        return self.ages

    def unready(self) -> Sequence[str]:
        return self.reasons

    def uptime_seconds(self) -> float:
        return 12.5


class StubReader:
    """Finds nothing, or raises `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        if self.error is not None:
            raise self.error
        return []


class StubKeys:
    """Knows every key as an admin's."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def find(self, text: str) -> Principal | None:
        if self.error is not None:
            raise self.error
        return Principal(Owner("operator"), "key-1", frozenset({"admin"}))


class Stubs:
    """All of them, and the `Deps` they make."""

    def __init__(self) -> None:
        self.intake = StubIntake()
        self.progress = StubProgress()
        self.status = StubStatus()
        self.reader = StubReader()
        self.keys = StubKeys()
        self.metrics = Metrics()
        self.deps = Deps(
            intake=self.intake,
            progress=self.progress,
            status=self.status,
            reader=cast("Reader", self.reader),
            keys=cast("KeyRing", self.keys),
            metrics=self.metrics,
        )

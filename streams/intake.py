"""Intake: the only way onto the tape.

Whatever waits is appended in one transaction (group commit). Overload slows intake and never drops: what has
no room is refused before it is appended, and what was appended is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from daemon import clock
from daemon.domain.commands import ClosePosition, DropInput, Input, ReleaseAgent, TimePassed
from daemon.domain.values import Owner
from daemon.metrics import Metrics
from daemon.records import encode
from streams.log.contract import Appended, Log, LogUnavailable, OutcomeUnknown
from streams.standing import Standing, tape_of

WAITING_MAX: Final = 1_000
"""Requests that may wait for append; one more is refused."""
BEHIND_INPUTS_MAX: Final = 100_000
BEHIND_SECONDS_MAX: Final = 10
"""How far the trader may be behind before writes are refused."""
APPEND_BYTES_MAX: Final = 4 * 1024 * 1024
APPEND_INPUTS_MAX: Final = 2_000
"""What goes in one transaction at most."""
RETRY_SECONDS: Final = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Waits between tries while the log cannot be reached."""

FEEDS: Final = Owner("tapefold")
"""The owner in whose name our own feeds append."""

_NEVER_REFUSED: Final = (TimePassed, DropInput, ReleaseAgent, ClosePosition)
"""What lets an operator out, or the trader go on: a backlog must not keep it away."""


class Recorded(NamedTuple):
    """Where an input stands."""

    tape: int
    offset: int


class Overloaded(Exception):
    """There is no room now; try again after `retry_after` seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class IntakeUnavailable(Exception):
    """The log could not be reached. The same request may be sent again: ids make a second copy harmless."""


class _Waiting(NamedTuple):
    data: bytes
    done: asyncio.Future[int]


class Intake:
    """One process's intake onto all tapes of a log."""

    def __init__(self, log: Log, standing: Standing, metrics: Metrics) -> None:
        self._log = log
        self._standing = standing
        self._metrics = metrics
        self._waiting: list[list[_Waiting]] = [[] for _ in range(log.tapes)]
        self._flushing: list[asyncio.Task[None] | None] = [None] * log.tapes
        self._closed = False

    async def put(self, item: Input) -> Recorded:
        """Append an input to its owner's tape; durable when it returns.

        Raises `Overloaded` (nothing stored) or `IntakeUnavailable`.
        """
        return await self.put_on(tape_of(item.actor.owner, self._log.tapes), item)

    async def put_everywhere(self, item: Input) -> Sequence[Recorded]:
        """Append an input to every tape; durable on all of them when it returns. Raises as `put`."""
        return await asyncio.gather(*(self.put_on(tape, item) for tape in range(self._log.tapes)))

    async def put_on(self, tape: int, item: Input) -> Recorded:
        """Append an input to one tape. Raises as `put`."""
        self._admit(tape, item)
        began = clock.monotonic()
        waiting = _Waiting(encode(item), asyncio.get_running_loop().create_future())
        self._waiting[tape].append(waiting)
        if self._flushing[tape] is None:
            self._flushing[tape] = asyncio.create_task(self._flush(tape), name=f"intake {tape}")
        offset = await waiting.done
        self._metrics.intake_append_seconds.observe(clock.monotonic() - began)
        self._metrics.intake_inputs.labels(type(item.command).__name__).inc()
        return Recorded(tape, offset)

    async def close(self) -> None:
        """Refuse what comes, and return when all that was taken is appended or refused."""
        self._closed = True
        for task in self._flushing:
            if task is not None:
                with suppress(asyncio.CancelledError):
                    await task

    def _admit(self, tape: int, item: Input) -> None:
        if self._closed:
            raise IntakeUnavailable("shutting down")
        if isinstance(item.command, _NEVER_REFUSED):
            return
        if len(self._waiting[tape]) >= WAITING_MAX:
            raise Overloaded(f"{WAITING_MAX} requests wait for append", 1)
        standing = self._standing.tapes[tape]
        if self._standing.is_halted(tape):
            if item.actor.owner == FEEDS:
                raise Overloaded("the tape stands still, and prices would only pile up", 1)
            return  # a halted tape takes what people write: it is durable and waits for the operator
        behind = standing.head - standing.reached
        if behind > BEHIND_INPUTS_MAX:
            raise Overloaded(f"the trader is {behind} inputs behind", 5)
        if standing.appended.age(standing.reached) > BEHIND_SECONDS_MAX:
            raise Overloaded(f"the trader is more than {BEHIND_SECONDS_MAX} s behind", 5)

    async def _flush(self, tape: int) -> None:
        """Append what waits until nothing waits. At most one runs per tape."""
        try:
            while batch := self._take(tape):
                try:
                    appended = await self._append(tape, [each.data for each in batch])
                except Exception as error:  # noqa: BLE001 - every waiter is told, whatever it was
                    self._standing.tapes[tape].unwritable = str(error) or type(error).__name__
                    _refuse(batch, error)
                    continue
                self._standing.tapes[tape].unwritable = None
                self._standing.tapes[tape].grow(appended.first + len(batch) - 1)
                for place, each in enumerate(batch):
                    if not each.done.done():
                        each.done.set_result(appended.first + place)
        finally:
            self._flushing[tape] = None

    def _take(self, tape: int) -> list[_Waiting]:
        waiting = self._waiting[tape]
        size = 0
        for count, each in enumerate(waiting):
            size += len(each.data)
            if (size > APPEND_BYTES_MAX and count) or count >= APPEND_INPUTS_MAX:
                self._waiting[tape] = waiting[count:]
                return waiting[:count]
        self._waiting[tape] = []
        return waiting

    async def _append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        for seconds in (*RETRY_SECONDS, None):
            try:
                return await self._log.append(tape, inputs)
            except (LogUnavailable, OutcomeUnknown) as error:
                # Of an unknown outcome the same inputs are appended again: ids make a second copy harmless.
                if seconds is None or self._closed:
                    raise IntakeUnavailable(str(error)) from error
                await asyncio.sleep(seconds)
        raise AssertionError("unreachable")


def _refuse(batch: Sequence[_Waiting], error: Exception) -> None:
    told = error if isinstance(error, IntakeUnavailable) else IntakeUnavailable(str(error))
    for each in batch:
        if not each.done.done():
            each.done.set_exception(told)

"""How far the stages of one process are on each tape, and which of them stand still.

The stages write here, intake reads it to refuse work when the trader is behind, and health shows it.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from daemon import clock
from daemon.domain.values import Owner

STRETCHES_MAX: Final = 10_000
"""Beyond that the age of a backlog is told too small."""


class Halted(NamedTuple):
    """A stage that stands still until an operator acts."""

    stage: str
    tape: int
    offset: int
    error: str
    elsewhere: bool = False
    """Whether another process has said so."""


class Backlog:
    """When each stretch of offsets was added, to tell the age of the oldest that has not been passed."""

    def __init__(self) -> None:
        self._added: deque[tuple[int, float]] = deque(maxlen=STRETCHES_MAX)

    def add(self, last: int) -> None:
        """Offsets up to `last` are there from now on."""
        self._added.append((last, clock.monotonic()))

    def age(self, passed: int) -> float:
        """Seconds since the oldest stretch with an offset behind `passed` was added; 0 if there is none."""
        while self._added and self._added[0][0] <= passed:
            self._added.popleft()
        return clock.monotonic() - self._added[0][1] if self._added else 0.0


@dataclass
class TapeStanding:
    """One tape: offsets of the last one (−1: none)."""

    head: int = -1
    reached: int = -1
    unwritable: str | None = None
    """Why the last append failed; None: it did not."""
    claimed: bool = False
    """Whether a trader of this process holds the tape's claim, folding it or trading."""
    trading: bool = False
    """Whether a trader of this process holds the tape and has folded it."""
    traded: bool = False
    """Whether one of another process does."""
    projecting: bool = False
    """Whether a projector of this process keeps the tape's read models."""
    appended: Backlog = field(default_factory=Backlog)
    """Of the inputs that wait for the trader."""
    decided: Backlog = field(default_factory=Backlog)
    """Of the decided inputs that wait for the projector."""

    def grow(self, head: int) -> None:
        """Note that the tape holds inputs up to `head`."""
        if head > self.head:
            self.head = head
            self.appended.add(head)

    def reach(self, reached: int) -> None:
        """Note that the inputs up to `reached` are decided."""
        self.reached = reached
        self.decided.add(reached)
        self.grow(reached)  # appended by another process


@dataclass
class Standing:
    """All tapes of the log."""

    tapes: list[TapeStanding] = field(default_factory=list)
    halted: dict[tuple[str, int], Halted] = field(default_factory=dict)

    def halt(self, stage: str, tape: int, offset: int, error: str) -> None:
        """Note a stage that stands still."""
        self.halted[stage, tape] = Halted(stage, tape, offset, error)

    def resume(self, stage: str, tape: int) -> None:
        """Note that a stage goes on."""
        self.halted.pop((stage, tape), None)

    def is_halted(self, tape: int) -> bool:
        """Whether any stage of this tape stands still."""
        return any(each.tape == tape for each in self.halted.values())


def tape_of(owner: Owner, tapes: int) -> int:
    """The tape that an owner lives on."""
    return zlib.crc32(owner.encode()) % tapes

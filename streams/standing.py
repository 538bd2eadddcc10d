"""How far the stages of one process are on each tape, and which of them stand still.

The stages write here, intake reads it to refuse work when the trader is behind, and health shows it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

from daemon.domain.values import Owner


class Halted(NamedTuple):
    """A stage that stands still until an operator acts."""

    stage: str
    tape: int
    offset: int
    error: str


@dataclass
class TapeStanding:
    """One tape: offsets of the last one (−1: none) and the times (ms, the log's clock) that go with them."""

    head: int = -1
    head_at: int = 0
    """When the newest input was appended."""
    reached: int = -1
    reached_at: int = 0
    """The time of the newest input that is decided."""
    projected_at: int = 0
    """The time of the newest input that was decided when the read models were last caught up."""
    trading: bool = False
    """Whether a trader of this process holds the tape and has folded it."""


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

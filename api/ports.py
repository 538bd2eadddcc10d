"""What the API needs from the floors below, as it sees them; `ops/wiring.py` gives the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from aiohttp import web

from api.identity.keys import KeyRing
from daemon.domain.commands import Input
from daemon.metrics import Metrics
from projections.progress import Projected
from projections.query import Reader
from streams.intake import Recorded


class Intake(Protocol):
    """The only way onto the tape."""

    async def put(self, item: Input) -> Recorded:
        """Append to the tape of the input's owner; durable when it returns.

        Raises `Overloaded` or `IntakeUnavailable`; in both cases the same request may be sent again.
        """

    async def put_everywhere(self, item: Input) -> Sequence[Recorded]:
        """Append to every tape; durable on all of them when it returns. Raises as `put`."""


class Progress(Protocol):
    """How far the read models are."""

    async def wait_row(self, tape: int, offset: int, seconds: float) -> Projected:
        """Whether the read models hold the input at `offset`, waiting for it up to `seconds`."""


class Halt(NamedTuple):
    """A stage that stands still until an operator acts."""

    stage: str
    tape: int
    offset: int
    error: str


class TapeHealth(NamedTuple):
    """How far everybody is on one tape; offsets of the last one, −1: none."""

    tape: int
    head: int
    reached: int
    projected: int
    trader_lag_seconds: float
    """Age of the oldest input that waits for the trader; 0 if none waits."""
    projection_lag_seconds: float
    """Age of the oldest decided input that is not projected; 0 if there is none."""
    trading: bool
    """Whether this process holds the tape's claim and trades it."""
    projecting: bool
    """Whether this process keeps the tape's read models."""


class Status(Protocol):
    """The live facts behind health, metrics and the answers of writes. None of them waits."""

    def is_database_up(self) -> bool:
        """Whether the last look at the database succeeded."""

    def is_rebuilding(self) -> bool:
        """Whether the read models are being rebuilt and must not be served yet."""

    def halts(self) -> Sequence[Halt]:
        """The stages that stand still."""

    def is_halted(self, tape: int) -> bool:
        """Whether trader or projector of this tape stand still."""

    def tapes(self) -> Sequence[TapeHealth]:
        """One for each tape, in order."""

    def tape_of(self, owner: str) -> int:
        """The tape that an owner lives on."""

    def price_ages(self) -> Mapping[str, float]:
        """Seconds since the newest accepted reading, by source."""

    def unready(self) -> Sequence[str]:
        """Further reasons why no traffic should come here: starting, claims missing, shutting down."""

    def uptime_seconds(self) -> float:
        """Since when the process serves."""


@dataclass(frozen=True)
class Deps:
    """All that the API is made of."""

    intake: Intake
    progress: Progress
    status: Status
    reader: Reader
    """The pool that queries run on."""
    keys: KeyRing
    metrics: Metrics
    version: str = "0.1.0"
    wait_seconds: float = field(default=2.0)
    """How long a write waits until it is projected before it answers 202."""


DEPS = web.AppKey("deps", Deps)

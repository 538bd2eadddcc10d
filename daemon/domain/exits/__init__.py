"""The exits of a position, one a file, in the order in which they are evaluated per reading.

Nothing about an exit is stored: each is a function of position, mark and config. A new exit is its own file,
a line in each table here and its fields in `config.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from daemon.domain.config import AgentConfig
from daemon.domain.exits.decision import Exit
from daemon.domain.exits.stop_loss import stop_loss, stop_price
from daemon.domain.marks import Mark
from daemon.domain.position import Position
from daemon.domain.values import Price

EXITS: Final[tuple[Callable[[Position, Mark, AgentConfig], Exit | None], ...]] = (stop_loss,)

FALLING_TRIGGERS: Final[tuple[Callable[[Position, AgentConfig], Price | None], ...]] = (stop_price,)
"""The price at or below which each exit may act; the tape skips positions above all of theirs."""


def decide_exit(position: Position, mark: Mark, config: AgentConfig) -> Exit | None:
    """The first exit that acts on this reading, if any."""
    for each in EXITS:
        decision = each(position, mark, config)
        if decision is not None:
            return decision
    return None


def falling_trigger(position: Position, config: AgentConfig) -> Price | None:
    """The highest price at or below which an exit of this position may act; None if none can."""
    prices = [price for each in FALLING_TRIGGERS if (price := each(position, config)) is not None]
    return max(prices, default=None)

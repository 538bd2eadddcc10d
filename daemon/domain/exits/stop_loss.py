"""The static stop loss."""

from __future__ import annotations

from daemon.domain.config import AgentConfig
from daemon.domain.exits.decision import Exit
from daemon.domain.marks import Mark
from daemon.domain.position import Position
from daemon.domain.values import Price, round_price


def stop_price(position: Position, config: AgentConfig) -> Price | None:
    """Entry × (1 − percent/100) of the open lots' entry price; None when the stop is off."""
    stop = config.stop_loss
    return round_price(position.figures.entry_price * (100 - stop.percent) / 100) if stop.enabled else None


def stop_loss(position: Position, mark: Mark, config: AgentConfig) -> Exit | None:
    """Sell when a reading's low is at or below the stop.

    A candle that falls through the stop and recovers sells at the stop, one that ends below it at its price:
    the worse of the two, and both lie within what was observed.
    """
    stop = stop_price(position, config)
    if stop is None or mark.low > stop:
        return None
    return Exit("stop_loss", stop, min(stop, mark.price))

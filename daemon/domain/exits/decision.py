"""What an exit decides about one position at one reading."""

from __future__ import annotations

from typing import NamedTuple

from daemon.domain.events import Purpose
from daemon.domain.values import Price


class Exit(NamedTuple):
    """Sell all of a position."""

    purpose: Purpose
    trigger_price: Price
    """The level that was crossed."""
    reference_price: Price
    """The price of the reading at which it sells."""

"""What has happened to orders and positions.

The names of these structs and of their fields are the stored format. They only grow: a changed meaning is a
new struct with an upcaster in `daemon/records.py` and a golden sample in `tests/golden/events/`.
Times are milliseconds since the epoch, quantities base units, `fee` and `*_lamports` lamports.
"""

from __future__ import annotations

from typing import Literal

from daemon.domain.event_parts import AgentEvent, LedgerEntry, Lot, PositionFigures, Purpose, Side
from daemon.domain.values import SOL, FillId, Mint, OrderId, PositionId, Price, SignalId


class OrderApproved(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An order that passed every rule. It reserves `quantity` of what it gives away until it ends."""

    order_id: OrderId
    mint: Mint
    side: Side
    purpose: Purpose
    quantity: int
    """What is given away: lamports (fees included) for a buy, token units for a sell."""
    decimals: int
    approved_at: int
    fill_after: int
    """Fills at the first fresh price from here on (latency)."""
    expires_at: int
    config_version: int
    n: int = 0
    signal_id: SignalId | None = None
    position_id: PositionId | None = None
    symbol: str | None = None
    cause: str | None = None
    """The id of the command that asked for it, where neither a signal nor a price did."""
    trigger_price: Price | None = None
    """The level that was crossed, for a stop."""
    price: Price | None = None
    price_at: int | None = None


class OrderFilled(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An order was executed in full."""

    order_id: OrderId
    fill_id: FillId
    position_id: PositionId
    mint: Mint
    side: Side
    purpose: Purpose
    decimals: int
    quantity: int
    """Token units bought or sold."""
    lamports: int
    """SOL that was swapped: paid for a buy without the fee, received for a sell before the fee."""
    fee: int
    price: Price
    """Executed price, fees excluded."""
    reference_price: Price
    """The price of the reading it was filled at, before slippage and impact."""
    price_at: int
    slippage_bps: int
    impact_bps: str
    """Price impact in basis points, two decimals."""
    ledger: tuple[LedgerEntry, ...]
    fee_mint: Mint = SOL
    signal_id: SignalId | None = None
    symbol: str | None = None


class OrderRejected(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The venue could not execute the order."""

    order_id: OrderId
    rule: str
    limit: str
    value: str


class OrderExpired(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The order found no price it may trade at before its expiry."""

    order_id: OrderId
    reason: Literal["no_price", "stale_price", "latency"]
    price_at: int | None = None


class OrderCanceled(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The order was taken back before it was executed."""

    order_id: OrderId
    reason: Literal["quarantined", "deleted"]


class PositionOpened(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The first lot of a mint."""

    position_id: PositionId
    mint: Mint
    decimals: int
    lot: Lot
    figures: PositionFigures
    signal_id: SignalId | None = None
    symbol: str | None = None


class PositionIncreased(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A further lot."""

    position_id: PositionId
    mint: Mint
    lot: Lot
    figures: PositionFigures


class PositionReduced(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Some units were sold, oldest lots first."""

    position_id: PositionId
    mint: Mint
    fill_id: FillId
    quantity: int
    figures: PositionFigures


class PositionClosed(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """All units are sold. Self-contained: the closed trade as it is shown."""

    position_id: PositionId
    mint: Mint
    decimals: int
    fill_id: FillId
    entry_fill_id: FillId
    reason: Purpose
    opened_at: int
    quantity: int
    """Token units sold by this last fill."""
    figures: PositionFigures
    entry_price: Price
    """Quantity-weighted executed price of all that was ever bought."""
    exit_price: Price
    signal_id: SignalId | None = None
    symbol: str | None = None

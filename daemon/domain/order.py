"""An order's life as a table of allowed transitions; anything else is a broken invariant.

(none) ──OrderApproved──► approved ──OrderFilled────► filled
                              ├─────OrderRejected──► rejected
                              ├─────OrderExpired───► expired
                              └─────OrderCanceled──► canceled
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from daemon.domain.errors import DomainError
from daemon.domain.events import (
    AgentEvent,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Purpose,
    Side,
)
from daemon.domain.values import Mint, OrderId, PositionId, Price, SignalId

State = Literal["approved", "filled", "rejected", "expired", "canceled"]

TRANSITIONS: Final[dict[tuple[State | None, type[AgentEvent]], State]] = {
    (None, OrderApproved): "approved",
    ("approved", OrderFilled): "filled",
    ("approved", OrderRejected): "rejected",
    ("approved", OrderExpired): "expired",
    ("approved", OrderCanceled): "canceled",
}


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order that has not ended: it reserves `quantity` of what it gives away."""

    order_id: OrderId
    mint: Mint
    side: Side
    purpose: Purpose
    quantity: int
    decimals: int
    n: int
    approved_at: int
    fill_after: int
    expires_at: int
    signal_id: SignalId | None = None
    position_id: PositionId | None = None
    symbol: str | None = None
    cause: str | None = None
    trigger_price: Price | None = None

    def is_due(self, now: int) -> bool:
        """Whether it has expired. An expiry further ahead than its own length (a clock set back) is due."""
        return now >= self.expires_at or self.expires_at - now > self.expires_at - self.approved_at


def next_state(state: State | None, event: AgentEvent) -> State:
    """The state after an event; raises `DomainError` for a transition the table does not hold."""
    after = TRANSITIONS.get((state, type(event)))
    if after is None:
        raise DomainError(f"{type(event).__name__} on an order that is {state or 'unknown or has ended'}")
    return after


def approved(event: OrderApproved) -> Order:
    """The order that an approval starts."""
    return Order(
        order_id=event.order_id,
        mint=event.mint,
        side=event.side,
        purpose=event.purpose,
        quantity=event.quantity,
        decimals=event.decimals,
        n=event.n,
        approved_at=event.approved_at,
        fill_after=event.fill_after,
        expires_at=event.expires_at,
        signal_id=event.signal_id,
        position_id=event.position_id,
        symbol=event.symbol,
        cause=event.cause,
        trigger_price=event.trigger_price,
    )

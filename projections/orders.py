"""Orders, from approval to their end."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from sqlalchemy import Index, select

from daemon.domain.events import (
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Purpose,
    Side,
)
from daemon.domain.values import AgentId, FillId, Mint, OrderId, Owner, PositionId, Price, SignalId
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals, span
from projections.tables import AnyId, Count, Long, Units, table


class OrderRow(Row):
    """One order."""

    id: OrderId
    owner: Owner
    agent_id: AgentId
    mint: Mint
    side: Side
    purpose: Purpose
    state: str
    """`approved` while it waits; then `filled`, `expired`, `canceled` or `rejected`."""
    quantity: Units
    """What it gives away: lamports (fees included) for a buy, token units for a sell."""
    decimals: Count
    """Those of the mint."""
    n: Count
    fill_after: Long
    expires_at: Long
    config_version: Count
    created_at: Long
    tape: Count
    tape_offset: Long
    """The input that it was approved on."""
    wallet_address: str | None = None
    signal_id: SignalId | None = None
    position_id: PositionId | None = None
    """The position it sells; for an entry the one it bought into, once filled."""
    cause_id: AnyId | None = None
    symbol: str | None = None
    price: Price | None = None
    """The mark at approval."""
    price_at: Long | None = None
    trigger_price: Price | None = None
    fill_id: FillId | None = None
    ended_at: Long | None = None
    ended_offset: Long | None = None
    end_reason: str | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None


TABLE: Final = table("orders", OrderRow, ("id",))

Index("orders_by_owner", TABLE.c.owner, TABLE.c.tape_offset)
Index("orders_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)
Index("orders_by_signal", TABLE.c.signal_id)


ORDERS: Final = Model(TABLE, OrderRow)


def _approved(event: OrderApproved, cause: Cause, batch: Batch) -> None:
    known = cause.agents[event.agent_id]
    row = OrderRow(
        event.order_id,
        known.owner,
        event.agent_id,
        event.mint,
        event.side,
        event.purpose,
        "approved",
        event.quantity,
        event.decimals,
        event.n,
        event.fill_after,
        event.expires_at,
        event.config_version,
        cause.at,
        cause.tape,
        cause.tape_offset,
        known.wallet_address,
        event.signal_id,
        event.position_id,
        event.cause,
        event.symbol,
        event.price,
        event.price_at,
        event.trigger_price,
    )
    batch.put(ORDERS, event.order_id, row)


def _end(order_id: OrderId, state: str, cause: Cause, batch: Batch, **changes: object) -> None:
    batch.patch(ORDERS, order_id, state=state, ended_at=cause.at, ended_offset=cause.tape_offset, **changes)


def _filled(event: OrderFilled, cause: Cause, batch: Batch) -> None:
    _end(event.order_id, "filled", cause, batch, fill_id=event.fill_id, position_id=event.position_id)


def _expired(event: OrderExpired, cause: Cause, batch: Batch) -> None:
    _end(event.order_id, "expired", cause, batch, end_reason=event.reason)


def _canceled(event: OrderCanceled, cause: Cause, batch: Batch) -> None:
    _end(event.order_id, "canceled", cause, batch, end_reason=event.reason)


def _rejected(event: OrderRejected, cause: Cause, batch: Batch) -> None:
    _end(event.order_id, "rejected", cause, batch, rule=event.rule, limit=event.limit, value=event.value)


FOLDS: Final[Folds] = {
    OrderApproved: _approved,
    OrderFilled: _filled,
    OrderExpired: _expired,
    OrderCanceled: _canceled,
    OrderRejected: _rejected,
}

_ORDERS: Final = Query(
    select(*columns(TABLE)),
    ORDERS.read,
    filters={
        **equals(
            TABLE, "owner", "id", "agent_id", "signal_id", "position_id", "mint", "state", "side", "purpose"
        ),
        **equals(TABLE, "wallet_address"),
        **span(TABLE.c.created_at, "since", "until"),
    },
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_order(reader: Reader, owner: str, order_id: str) -> OrderRow | None:
    """An owner's order."""
    return await _ORDERS.one(reader, owner=owner, id=order_id)


class OrderFilters(TypedDict, total=False):
    """What lists of orders may be narrowed to; spans of time include both ends."""

    agent_id: str | None
    signal_id: str | None
    position_id: str | None
    mint: str | None
    state: str | None
    side: str | None
    purpose: str | None
    wallet_address: str | None
    since: int | None
    until: int | None


async def list_orders(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    **filters: Unpack[OrderFilters],
) -> list[OrderRow]:
    """An owner's orders, newest first."""
    return await _ORDERS.all(reader, limit=limit, offset=offset, owner=owner, **filters)

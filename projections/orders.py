"""Orders, from approval to their end."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Index, Table, select

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
from projections.model import (
    METADATA,
    Cause,
    Folds,
    Model,
    Row,
    count_column,
    id_column,
    long_column,
    price_column,
    text_column,
    units_column,
)
from projections.query import Query, Reader, columns, equals, span

TABLE: Final = Table(
    "orders",
    METADATA,
    id_column("id", key=True),
    text_column("owner"),
    id_column("agent_id"),
    text_column("wallet_address", optional=True),
    id_column("signal_id", optional=True),
    id_column("position_id", optional=True),
    id_column("cause_id", optional=True),
    text_column("mint"),
    text_column("symbol", optional=True),
    text_column("side"),
    text_column("purpose"),
    text_column("state"),
    units_column("quantity"),
    count_column("decimals"),
    count_column("n"),
    price_column("price", optional=True),
    long_column("price_at", optional=True),
    price_column("trigger_price", optional=True),
    long_column("fill_after"),
    long_column("expires_at"),
    count_column("config_version"),
    long_column("created_at"),
    count_column("tape"),
    long_column("tape_offset"),
    id_column("fill_id", optional=True),
    long_column("ended_at", optional=True),
    long_column("ended_offset", optional=True),
    text_column("end_reason", optional=True),
    text_column("rule", optional=True),
    text_column("limit", optional=True),
    text_column("value", optional=True),
)
Index("orders_by_owner", TABLE.c.owner, TABLE.c.tape_offset)
Index("orders_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)
Index("orders_by_signal", TABLE.c.signal_id)


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
    quantity: int
    """What it gives away: lamports (fees included) for a buy, token units for a sell."""
    decimals: int
    """Those of the mint."""
    n: int
    fill_after: int
    expires_at: int
    config_version: int
    created_at: int
    tape: int
    tape_offset: int
    """The input that it was approved on."""
    wallet_address: str | None = None
    signal_id: SignalId | None = None
    position_id: PositionId | None = None
    """The position it sells; for an entry the one it bought into, once filled."""
    cause_id: str | None = None
    symbol: str | None = None
    price: Price | None = None
    """The mark at approval."""
    price_at: int | None = None
    trigger_price: Price | None = None
    fill_id: FillId | None = None
    ended_at: int | None = None
    ended_offset: int | None = None
    end_reason: str | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None


ORDERS: Final = Model(TABLE, OrderRow)


def _approved(event: OrderApproved, cause: Cause, batch: Batch) -> None:
    known = cause.agents[event.agent_id]
    row = OrderRow(
        id=event.order_id,
        owner=known.owner,
        agent_id=event.agent_id,
        wallet_address=known.wallet_address,
        signal_id=event.signal_id,
        position_id=event.position_id,
        cause_id=event.cause,
        mint=event.mint,
        symbol=event.symbol,
        side=event.side,
        purpose=event.purpose,
        state="approved",
        quantity=event.quantity,
        decimals=event.decimals,
        n=event.n,
        price=event.price,
        price_at=event.price_at,
        trigger_price=event.trigger_price,
        fill_after=event.fill_after,
        expires_at=event.expires_at,
        config_version=event.config_version,
        created_at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
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


async def list_orders(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    agent_id: str | None = None,
    signal_id: str | None = None,
    position_id: str | None = None,
    mint: str | None = None,
    state: str | None = None,
    side: str | None = None,
    purpose: str | None = None,
    wallet_address: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> list[OrderRow]:
    """An owner's orders, newest first."""
    return await _ORDERS.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        agent_id=agent_id,
        signal_id=signal_id,
        position_id=position_id,
        mint=mint,
        state=state,
        side=side,
        purpose=purpose,
        wallet_address=wallet_address,
        since=since,
        until=until,
    )

"""Closed positions: an agent's historical swaps."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Index, Table, select

from daemon.domain.events import PositionClosed, Purpose
from daemon.domain.values import AgentId, FillId, Mint, Owner, PositionId, Price, SignalId
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
    "closed_positions",
    METADATA,
    id_column("id", key=True),
    text_column("owner"),
    id_column("agent_id"),
    text_column("wallet_address", optional=True),
    id_column("signal_id", optional=True),
    id_column("entry_fill_id"),
    id_column("exit_fill_id"),
    text_column("mint"),
    text_column("symbol", optional=True),
    count_column("decimals"),
    text_column("reason"),
    price_column("entry_price"),
    price_column("exit_price"),
    units_column("bought"),
    units_column("invested_lamports"),
    units_column("fees"),
    units_column("proceeds_lamports"),
    units_column("realized_pnl"),
    long_column("opened_at"),
    long_column("closed_at"),
    count_column("tape"),
    long_column("tape_offset"),
)
Index("closed_positions_by_owner", TABLE.c.owner, TABLE.c.tape_offset)
Index("closed_positions_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)


class ClosedPositionRow(Row):
    """One closed trade as it is shown; its id is the position's."""

    id: PositionId
    owner: Owner
    agent_id: AgentId
    entry_fill_id: FillId
    exit_fill_id: FillId
    mint: Mint
    decimals: int
    reason: Purpose
    entry_price: Price
    """Quantity-weighted executed price of all that was ever bought."""
    exit_price: Price
    bought: int
    invested_lamports: int
    fees: int
    proceeds_lamports: int
    realized_pnl: int
    opened_at: int
    closed_at: int
    tape: int
    tape_offset: int
    """The input that closed it."""
    wallet_address: str | None = None
    signal_id: SignalId | None = None
    symbol: str | None = None


CLOSED_POSITIONS: Final = Model(TABLE, ClosedPositionRow)


def _closed(event: PositionClosed, cause: Cause, batch: Batch) -> None:
    known, figures = cause.agents[event.agent_id], event.figures
    row = ClosedPositionRow(
        id=event.position_id,
        owner=known.owner,
        agent_id=event.agent_id,
        wallet_address=known.wallet_address,
        signal_id=event.signal_id,
        entry_fill_id=event.entry_fill_id,
        exit_fill_id=event.fill_id,
        mint=event.mint,
        symbol=event.symbol,
        decimals=event.decimals,
        reason=event.reason,
        entry_price=event.entry_price,
        exit_price=event.exit_price,
        bought=figures.bought,
        invested_lamports=figures.invested_lamports,
        fees=figures.fees,
        proceeds_lamports=figures.proceeds_lamports,
        realized_pnl=figures.realized_pnl,
        opened_at=event.opened_at,
        closed_at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
    )
    batch.put(CLOSED_POSITIONS, event.position_id, row)


FOLDS: Final[Folds] = {PositionClosed: _closed}

_SWAPS: Final = Query(
    select(*columns(TABLE)),
    CLOSED_POSITIONS.read,
    filters={
        **equals(TABLE, "owner", "id", "agent_id", "mint", "symbol", "signal_id", "wallet_address", "reason"),
        **equals(TABLE, "entry_fill_id", "exit_fill_id"),
        **span(TABLE.c.opened_at, "opened_since", "opened_until"),
        **span(TABLE.c.closed_at, "closed_since", "closed_until"),
    },
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_historical_swap(reader: Reader, owner: str, position_id: str) -> ClosedPositionRow | None:
    """An owner's closed trade."""
    return await _SWAPS.one(reader, owner=owner, id=position_id)


async def list_historical_swaps(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    agent_id: str | None = None,
    mint: str | None = None,
    symbol: str | None = None,
    signal_id: str | None = None,
    wallet_address: str | None = None,
    reason: str | None = None,
    entry_fill_id: str | None = None,
    exit_fill_id: str | None = None,
    opened_since: int | None = None,
    opened_until: int | None = None,
    closed_since: int | None = None,
    closed_until: int | None = None,
) -> list[ClosedPositionRow]:
    """An owner's closed trades, the one closed last first."""
    return await _SWAPS.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        agent_id=agent_id,
        mint=mint,
        symbol=symbol,
        signal_id=signal_id,
        wallet_address=wallet_address,
        reason=reason,
        entry_fill_id=entry_fill_id,
        exit_fill_id=exit_fill_id,
        opened_since=opened_since,
        opened_until=opened_until,
        closed_since=closed_since,
        closed_until=closed_until,
    )

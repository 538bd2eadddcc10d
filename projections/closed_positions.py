"""Closed positions: an agent's historical swaps."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from sqlalchemy import Index, select

from daemon.domain.events import PositionClosed, Purpose
from daemon.domain.values import AgentId, FillId, Mint, Owner, PositionId, Price, SignalId
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals, span
from projections.tables import Count, Long, Units, table


class ClosedPositionRow(Row):
    """One closed trade as it is shown; its id is the position's."""

    id: PositionId
    owner: Owner
    agent_id: AgentId
    entry_fill_id: FillId
    exit_fill_id: FillId
    mint: Mint
    decimals: Count
    reason: Purpose
    entry_price: Price
    """Quantity-weighted executed price of all that was ever bought."""
    exit_price: Price
    bought: Units
    invested_lamports: Units
    fees: Units
    proceeds_lamports: Units
    realized_pnl: Units
    opened_at: Long
    closed_at: Long
    tape: Count
    tape_offset: Long
    """The input that closed it."""
    wallet_address: str | None = None
    signal_id: SignalId | None = None
    symbol: str | None = None


TABLE: Final = table("closed_positions", ClosedPositionRow, ("id",))

Index("closed_positions_by_owner", TABLE.c.owner, TABLE.c.tape_offset)
Index("closed_positions_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)


CLOSED_POSITIONS: Final = Model(TABLE, ClosedPositionRow)


def _closed(event: PositionClosed, cause: Cause, batch: Batch) -> None:
    known, figures = cause.agents[event.agent_id], event.figures
    row = ClosedPositionRow(
        event.position_id,
        known.owner,
        event.agent_id,
        event.entry_fill_id,
        event.fill_id,
        event.mint,
        event.decimals,
        event.reason,
        event.entry_price,
        event.exit_price,
        figures.bought,
        figures.invested_lamports,
        figures.fees,
        figures.proceeds_lamports,
        figures.realized_pnl,
        event.opened_at,
        cause.at,
        cause.tape,
        cause.tape_offset,
        known.wallet_address,
        event.signal_id,
        event.symbol,
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


class SwapFilters(TypedDict, total=False):
    """What lists of historical swaps may be narrowed to; spans of time include both ends."""

    agent_id: str | None
    mint: str | None
    symbol: str | None
    signal_id: str | None
    wallet_address: str | None
    reason: str | None
    entry_fill_id: str | None
    exit_fill_id: str | None
    opened_since: int | None
    opened_until: int | None
    closed_since: int | None
    closed_until: int | None


async def list_historical_swaps(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    **filters: Unpack[SwapFilters],
) -> list[ClosedPositionRow]:
    """An owner's closed trades, the one closed last first."""
    return await _SWAPS.all(reader, limit=limit, offset=offset, owner=owner, **filters)

"""Positions, open and closed, with the figures after the last event. No price touches these rows."""

from __future__ import annotations

from typing import Final, NamedTuple

from asyncpg import Record
from sqlalchemy import Index, Table, and_, select

from daemon.domain.events import (
    AgentReleased,
    ExitsQuarantined,
    PositionClosed,
    PositionFigures,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.values import AgentId, FillId, Mint, Owner, PositionId, Price, SignalId
from projections import marks
from projections.batch import Batch
from projections.marks import MarkPrice, mark_of
from projections.model import (
    METADATA,
    Cause,
    Folds,
    Model,
    Row,
    count_column,
    flag_column,
    id_column,
    long_column,
    price_column,
    text_column,
    units_column,
)
from projections.query import Query, Reader, columns, equals

TABLE: Final = Table(
    "positions",
    METADATA,
    id_column("id", key=True),
    text_column("owner"),
    id_column("agent_id"),
    text_column("wallet_address", optional=True),
    id_column("signal_id", optional=True),
    id_column("entry_fill_id"),
    text_column("mint"),
    text_column("symbol", optional=True),
    count_column("decimals"),
    units_column("quantity"),
    units_column("cost_lamports"),
    price_column("entry_price"),
    units_column("bought"),
    units_column("invested_lamports"),
    units_column("fees"),
    units_column("proceeds_lamports"),
    units_column("realized_pnl"),
    long_column("opened_at"),
    long_column("updated_at"),
    long_column("closed_at", optional=True),
    flag_column("exits_quarantined"),
    text_column("exits_error", optional=True),
    count_column("tape"),
    long_column("tape_offset"),
    long_column("updated_offset"),
)
_IS_OPEN: Final = TABLE.c.closed_at.is_(None)
Index("positions_open_by_owner", TABLE.c.owner, TABLE.c.tape_offset, postgresql_where=_IS_OPEN)
Index("positions_open_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset, postgresql_where=_IS_OPEN)


class PositionRow(Row):
    """One position; `closed_at` is None while it is open."""

    id: PositionId
    owner: Owner
    agent_id: AgentId
    entry_fill_id: FillId
    mint: Mint
    decimals: int
    quantity: int
    cost_lamports: int
    """Cost of the open lots, fees included."""
    entry_price: Price
    """Quantity-weighted executed price of the open lots, fees excluded."""
    bought: int
    invested_lamports: int
    fees: int
    proceeds_lamports: int
    realized_pnl: int
    opened_at: int
    updated_at: int
    exits_quarantined: bool
    tape: int
    tape_offset: int
    """The input that opened it."""
    updated_offset: int
    """The input that changed it last."""
    wallet_address: str | None = None
    signal_id: SignalId | None = None
    symbol: str | None = None
    closed_at: int | None = None
    exits_error: str | None = None


class MarkedPosition(NamedTuple):
    """A position and the mint's mark: unrealized PnL is computed when it is read."""

    position: PositionRow
    mark: MarkPrice | None


POSITIONS: Final = Model(TABLE, PositionRow)


def _opened(event: PositionOpened, cause: Cause, batch: Batch) -> None:
    known, figures = cause.agents[event.agent_id], event.figures
    row = PositionRow(
        id=event.position_id,
        owner=known.owner,
        agent_id=event.agent_id,
        wallet_address=known.wallet_address,
        signal_id=event.signal_id,
        entry_fill_id=event.lot.fill_id,
        mint=event.mint,
        symbol=event.symbol,
        decimals=event.decimals,
        quantity=figures.quantity,
        cost_lamports=figures.cost_lamports,
        entry_price=figures.entry_price,
        bought=figures.bought,
        invested_lamports=figures.invested_lamports,
        fees=figures.fees,
        proceeds_lamports=figures.proceeds_lamports,
        realized_pnl=figures.realized_pnl,
        opened_at=cause.at,
        updated_at=cause.at,
        exits_quarantined=False,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
        updated_offset=cause.tape_offset,
    )
    batch.put(POSITIONS, event.position_id, row)


def _changed(
    position_id: PositionId, figures: PositionFigures, cause: Cause, batch: Batch, **changes: object
) -> None:
    batch.patch(
        POSITIONS,
        position_id,
        quantity=figures.quantity,
        cost_lamports=figures.cost_lamports,
        entry_price=figures.entry_price,
        bought=figures.bought,
        invested_lamports=figures.invested_lamports,
        fees=figures.fees,
        proceeds_lamports=figures.proceeds_lamports,
        realized_pnl=figures.realized_pnl,
        updated_at=cause.at,
        updated_offset=cause.tape_offset,
        **changes,
    )


def _moved(event: PositionIncreased | PositionReduced, cause: Cause, batch: Batch) -> None:
    _changed(event.position_id, event.figures, cause, batch)


def _closed(event: PositionClosed, cause: Cause, batch: Batch) -> None:
    _changed(event.position_id, event.figures, cause, batch, closed_at=cause.at)


def _quarantined(event: ExitsQuarantined, cause: Cause, batch: Batch) -> None:
    cause.stuck.setdefault(event.agent_id, {})[event.position_id] = None
    batch.patch(POSITIONS, event.position_id, exits_quarantined=True, exits_error=event.error)


def _released(event: AgentReleased, cause: Cause, batch: Batch) -> None:
    for position_id in cause.stuck.pop(event.agent_id, ()):
        batch.patch(POSITIONS, position_id, exits_quarantined=False, exits_error=None)


FOLDS: Final[Folds] = {
    PositionOpened: _opened,
    PositionIncreased: _moved,
    PositionReduced: _moved,
    PositionClosed: _closed,
    ExitsQuarantined: _quarantined,
    AgentReleased: _released,
}


def _marked(values: Record) -> MarkedPosition:
    return MarkedPosition(POSITIONS.read(values), mark_of(values))


_POSITIONS: Final = select(*columns(TABLE), *marks.MARK_COLUMNS).select_from(
    TABLE.outerjoin(marks.TABLE, and_(marks.TABLE.c.tape == TABLE.c.tape, marks.TABLE.c.mint == TABLE.c.mint))
)
_POSITION: Final = Query(_POSITIONS, _marked, filters=equals(TABLE, "owner", "id"))
_OPEN: Final = Query(
    _POSITIONS.where(_IS_OPEN),
    _marked,
    filters=equals(TABLE, "owner", "agent_id", "mint", "signal_id", "wallet_address"),
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_position(reader: Reader, owner: str, position_id: str) -> MarkedPosition | None:
    """An owner's position, open or closed."""
    return await _POSITION.one(reader, owner=owner, id=position_id)


async def list_open_positions(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    agent_id: str | None = None,
    mint: str | None = None,
    signal_id: str | None = None,
    wallet_address: str | None = None,
) -> list[MarkedPosition]:
    """An owner's open positions with their marks, newest first."""
    return await _OPEN.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        agent_id=agent_id,
        mint=mint,
        signal_id=signal_id,
        wallet_address=wallet_address,
    )

"""Positions, open and closed, with the figures after the last event. No price touches these rows."""

from __future__ import annotations

from typing import Final, NamedTuple, TypedDict, Unpack

from asyncpg import Record
from sqlalchemy import Index, and_, select

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
from projections import agent_configs, agents, marks
from projections.batch import Batch
from projections.marks import MarkPrice, mark_of
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, Units, table


class PositionRow(Row):
    """One position; `closed_at` is None while it is open."""

    id: PositionId
    owner: Owner
    agent_id: AgentId
    entry_fill_id: FillId
    mint: Mint
    decimals: Count
    quantity: Units
    cost_lamports: Units
    """Cost of the open lots, fees included."""
    entry_price: Price
    """Quantity-weighted executed price of the open lots, fees excluded."""
    bought: Units
    invested_lamports: Units
    fees: Units
    proceeds_lamports: Units
    realized_pnl: Units
    opened_at: Long
    updated_at: Long
    exits_quarantined: bool
    tape: Count
    tape_offset: Long
    """The input that opened it."""
    updated_offset: Long
    """The input that changed it last."""
    wallet_address: str | None = None
    signal_id: SignalId | None = None
    symbol: str | None = None
    closed_at: Long | None = None
    exits_error: str | None = None


TABLE: Final = table("positions", PositionRow, ("id",))

_IS_OPEN: Final = TABLE.c.closed_at.is_(None)
Index("positions_open_by_owner", TABLE.c.owner, TABLE.c.tape_offset, postgresql_where=_IS_OPEN)
Index("positions_open_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset, postgresql_where=_IS_OPEN)


class MarkedPosition(NamedTuple):
    """A position and the mint's mark: unrealized PnL is computed when it is read."""

    position: PositionRow
    mark: MarkPrice | None


class ConfiguredPosition(NamedTuple):
    """The same, with what its stop is computed from."""

    marked: MarkedPosition
    config: str
    """JSON of the keys that its agent's config was given, as it is now."""


POSITIONS: Final = Model(TABLE, PositionRow)


def _opened(event: PositionOpened, cause: Cause, batch: Batch) -> None:
    known, figures = cause.agents[event.agent_id], event.figures
    row = PositionRow(
        event.position_id,
        known.owner,
        event.agent_id,
        event.lot.fill_id,
        event.mint,
        event.decimals,
        figures.quantity,
        figures.cost_lamports,
        figures.entry_price,
        figures.bought,
        figures.invested_lamports,
        figures.fees,
        figures.proceeds_lamports,
        figures.realized_pnl,
        cause.at,
        cause.at,
        False,
        cause.tape,
        cause.tape_offset,
        cause.tape_offset,
        known.wallet_address,
        event.signal_id,
        event.symbol,
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


def _configured(values: Record) -> ConfiguredPosition:
    return ConfiguredPosition(MarkedPosition(POSITIONS.read(values), mark_of(values)), values["config"])


_CONFIG: Final = agent_configs.TABLE.c
_POSITIONS: Final = select(*columns(TABLE), *marks.MARK_COLUMNS, _CONFIG.given.label("config")).select_from(
    TABLE.outerjoin(marks.TABLE, and_(marks.TABLE.c.tape == TABLE.c.tape, marks.TABLE.c.mint == TABLE.c.mint))
    .join(agents.TABLE, agents.TABLE.c.id == TABLE.c.agent_id)
    .join(
        agent_configs.TABLE,
        and_(_CONFIG.agent_id == TABLE.c.agent_id, _CONFIG.version == agents.TABLE.c.config_version),
    )
)
_POSITION: Final = Query(_POSITIONS, _configured, filters=equals(TABLE, "owner", "id"))
_OPEN: Final = Query(
    _POSITIONS.where(_IS_OPEN),
    _configured,
    filters=equals(TABLE, "owner", "agent_id", "mint", "signal_id", "wallet_address"),
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_position(reader: Reader, owner: str, position_id: str) -> MarkedPosition | None:
    """An owner's position, open or closed."""
    found = await get_configured_position(reader, owner, position_id)
    return None if found is None else found.marked


async def get_configured_position(reader: Reader, owner: str, position_id: str) -> ConfiguredPosition | None:
    """The same, with its agent's config."""
    return await _POSITION.one(reader, owner=owner, id=position_id)


class PositionFilters(TypedDict, total=False):
    """What lists of open positions may be narrowed to."""

    agent_id: str | None
    mint: str | None
    signal_id: str | None
    wallet_address: str | None


async def list_open_positions(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    **filters: Unpack[PositionFilters],
) -> list[ConfiguredPosition]:
    """An owner's open positions with their marks and configs, newest first."""
    return await _OPEN.all(reader, limit=limit, offset=offset, owner=owner, **filters)

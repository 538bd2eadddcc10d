"""A position: the open lots of one mint, and what they have cost and brought so far."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from daemon.domain.events import Lot, PositionFigures, PositionIncreased, PositionOpened, PositionReduced
from daemon.domain.lots import average_price, take
from daemon.domain.values import FillId, Mint, PositionId, Price, SignalId, round_price


class Position(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One open position of one agent."""

    position_id: PositionId
    mint: Mint
    decimals: int
    opened_at: int
    lots: tuple[Lot, ...]
    figures: PositionFigures
    bought_value: Decimal
    """Sum of quantity × executed price over all that was ever bought."""
    entry_fill_id: FillId
    signal_id: SignalId | None = None
    symbol: str | None = None
    exits: int = 0
    """How many exit orders it has had; the n of the next one."""
    exits_quarantined: bool = False

    @property
    def average_entry_price(self) -> Price:
        """Quantity-weighted executed price of all that was ever bought."""
        return round_price(self.bought_value / self.figures.bought)


def first_figures(lot: Lot, fee: int) -> PositionFigures:
    """The figures of a position that holds its first lot."""
    return PositionFigures(
        quantity=lot.quantity,
        cost_lamports=lot.cost_lamports,
        entry_price=lot.price,
        bought=lot.quantity,
        invested_lamports=lot.cost_lamports,
        fees=fee,
        proceeds_lamports=0,
        realized_pnl=0,
    )


def figures_with(position: Position, lot: Lot, fee: int) -> PositionFigures:
    """The figures after a further lot."""
    before = position.figures
    return msgspec.structs.replace(
        before,
        quantity=before.quantity + lot.quantity,
        cost_lamports=before.cost_lamports + lot.cost_lamports,
        entry_price=average_price((*position.lots, lot)),
        bought=before.bought + lot.quantity,
        invested_lamports=before.invested_lamports + lot.cost_lamports,
        fees=before.fees + fee,
    )


def figures_without(position: Position, quantity: int, net: int, fee: int) -> PositionFigures:
    """The figures after a sale of `quantity` units that brought `net` lamports after the fee.

    Realized PnL is what the sale brought, net of fees, less the cost of the lots sold, fees included. A
    position that is sold out keeps its last entry price.
    """
    before = position.figures
    lots, cost = take(position.lots, quantity)
    return msgspec.structs.replace(
        before,
        quantity=before.quantity - quantity,
        cost_lamports=before.cost_lamports - cost,
        entry_price=average_price(lots) if lots else before.entry_price,
        fees=before.fees + fee,
        proceeds_lamports=before.proceeds_lamports + net,
        realized_pnl=before.realized_pnl + net - cost,
    )


def opened(event: PositionOpened) -> Position:
    """The position that an event opens."""
    return Position(
        position_id=event.position_id,
        mint=event.mint,
        decimals=event.decimals,
        opened_at=event.lot.at,
        lots=(event.lot,),
        figures=event.figures,
        bought_value=event.lot.price * event.lot.quantity,
        entry_fill_id=event.lot.fill_id,
        signal_id=event.signal_id,
        symbol=event.symbol,
    )


def increased(position: Position, event: PositionIncreased) -> Position:
    """The position after a further lot."""
    return msgspec.structs.replace(
        position,
        lots=(*position.lots, event.lot),
        figures=event.figures,
        bought_value=position.bought_value + event.lot.price * event.lot.quantity,
    )


def reduced(position: Position, event: PositionReduced) -> Position:
    """The position after a sale of a part."""
    lots, _ = take(position.lots, event.quantity)
    return msgspec.structs.replace(position, lots=lots, figures=event.figures)

"""Open positions, with what they are worth at the mark."""

from __future__ import annotations

import msgspec

from api.answers.amounts import percent, price, sol, tokens, worth_lamports
from api.times import moment_text
from daemon.domain.config import AgentConfig
from daemon.domain.values import plain, round_price
from projections.marks import MarkPrice
from projections.positions import MarkedPosition, PositionRow


class EntryTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """The first fill."""

    id: str
    hash: str | None
    time: str


class Purchase(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How it was bought."""

    price_native: str
    price_usd: str | None
    amount: str
    """All that was ever bought."""
    transaction: EntryTransaction


class Current(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """At the mark; null where there is none."""

    price_native: str | None
    price_usd: str | None
    value_native: str | None
    value_usd: str | None
    price_at: str | None


class ProfitLoss(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of what is still held: its value at the mark against its cost with fees."""

    native: str | None
    usd: str | None
    percent: str | None
    price_change_percent: str | None


class StopLossAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The stop as the agent's config sets it now."""

    percentage: str
    """0: no stop."""
    price: str | None
    peak_price: str | None


class PositionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One position."""

    id: str
    agent_id: str
    wallet_address: str | None
    token_address: str
    token_symbol: str
    status: str
    """`open` or `closed`."""
    signal_id: str | None
    quantity: str
    """What is still held."""
    cost_sol: str
    invested_sol: str
    fees_sol: str
    proceeds_sol: str
    realized_profit_sol: str
    purchase: Purchase
    current: Current
    profit_loss: ProfitLoss
    stop_loss: StopLossAnswer | None
    """Shown for one position, and in the list of one agent's positions."""
    exits_quarantined: bool
    exits_error: str | None
    created_at: str
    updated_at: str
    closed_at: str | None


def position(found: MarkedPosition, config: AgentConfig | None = None) -> PositionAnswer:
    """A position's row as it is shown."""
    row, mark = found
    return PositionAnswer(
        id=row.id,
        agent_id=row.agent_id,
        wallet_address=row.wallet_address,
        token_address=row.mint,
        token_symbol=row.symbol or row.mint,
        status="open" if row.closed_at is None else "closed",
        signal_id=row.signal_id,
        quantity=tokens(row.quantity, row.decimals),
        cost_sol=sol(row.cost_lamports),
        invested_sol=sol(row.invested_lamports),
        fees_sol=sol(row.fees),
        proceeds_sol=sol(row.proceeds_lamports),
        realized_profit_sol=sol(row.realized_pnl),
        purchase=Purchase(
            price_native=plain(row.entry_price),
            price_usd=None,
            amount=tokens(row.bought, row.decimals),
            transaction=EntryTransaction(id=row.entry_fill_id, hash=None, time=moment_text(row.opened_at)),
        ),
        current=_current(row, mark),
        profit_loss=_profit_loss(row, mark),
        stop_loss=None if config is None else _stop_loss(row, config),
        exits_quarantined=row.exits_quarantined,
        exits_error=row.exits_error,
        created_at=moment_text(row.opened_at),
        updated_at=moment_text(row.updated_at),
        closed_at=None if row.closed_at is None else moment_text(row.closed_at),
    )


def _current(row: PositionRow, mark: MarkPrice | None) -> Current:
    if mark is None:
        return Current(price_native=None, price_usd=None, value_native=None, value_usd=None, price_at=None)
    return Current(
        price_native=price(mark.price),
        price_usd=None,
        value_native=sol(worth_lamports(row.quantity, row.decimals, mark.price)),
        value_usd=None,
        price_at=moment_text(mark.at),
    )


def _profit_loss(row: PositionRow, mark: MarkPrice | None) -> ProfitLoss:
    if mark is None or row.closed_at is not None:
        return ProfitLoss(native=None, usd=None, percent=None, price_change_percent=None)
    profit = worth_lamports(row.quantity, row.decimals, mark.price) - row.cost_lamports
    return ProfitLoss(
        native=sol(profit),
        usd=None,
        percent=percent(profit, row.cost_lamports),
        price_change_percent=percent(mark.price - row.entry_price, row.entry_price),
    )


def _stop_loss(row: PositionRow, config: AgentConfig) -> StopLossAnswer:
    stop = config.stop_loss
    if not stop.enabled or row.closed_at is not None:
        return StopLossAnswer(percentage="0", price=None, peak_price=None)
    level = round_price(row.entry_price * (1 - stop.percent / 100))
    return StopLossAnswer(percentage=plain(stop.percent), price=plain(level), peak_price=None)

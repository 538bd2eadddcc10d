"""How an order ends: executed at the simulated venue and booked, rejected by it, or expired."""

from __future__ import annotations

import msgspec

from daemon.domain import fills, ids
from daemon.domain.errors import DomainError
from daemon.domain.events import (
    Lot,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionFigures,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.fills import Execution, Refusal
from daemon.domain.ledger import Change, post
from daemon.domain.marks import Mark
from daemon.domain.order import Order
from daemon.domain.position import figures_with, figures_without, first_figures
from daemon.domain.state import AgentState, Context
from daemon.domain.values import QUANTITY_MAX, SOL, Mint, Price

Trade = OrderFilled | PositionOpened | PositionIncreased | PositionReduced | PositionClosed


def fill(
    state: AgentState, order: Order, mark: Mark, context: Context, reference: Price | None = None
) -> list[Trade] | OrderRejected:
    """Fill an order at a fresh reading: the fill and what it does to the position."""
    at_price = mark.price if reference is None else reference
    decimals = context.decimals_of(order.mint)
    if order.side == "buy" and order.decimals != decimals:  # stated by a price since it was approved
        order = msgspec.structs.replace(order, decimals=decimals)
    got = execute(state, order, mark, at_price)
    if isinstance(got, Refusal):
        return OrderRejected(
            agent_id=state.agent_id,
            order_id=order.order_id,
            rule="quantity",
            limit=got.limit,
            value=got.value,
        )
    return settle(state, order, mark, got, at_price, context)


def execute(state: AgentState, order: Order, mark: Mark, at_price: Price) -> Execution | Refusal:
    """What the simulated venue gives for an order."""
    model = state.config.fill_model
    if order.side == "buy":
        got = fills.buy(order.quantity, at_price, order.decimals, model, mark.liquidity)
        return within_balance(state, order.mint, got)
    position = state.positions.get(order.mint)
    if position is None:
        raise DomainError(f"order {order.order_id} sells a position that is not open")
    held = min(order.quantity, position.figures.quantity)
    got = fills.sell(held, at_price, order.decimals, model, mark.liquidity)
    return within_balance(state, SOL, got)


def settle(
    state: AgentState, order: Order, mark: Mark, got: Execution, at_price: Price, context: Context
) -> list[Trade]:
    """Book an execution: the fill with its ledger entries, and what it does to the position."""
    filled = _filled(state, order, mark, got, at_price)
    change = _bought(state, filled, context) if order.side == "buy" else _sold(state, filled, order)
    return [filled, change]


def expire(state: AgentState, order: Order, context: Context) -> OrderExpired:
    """End an order that found no price it may trade at."""
    mark = context.mark(order.mint)
    if mark is None:
        return OrderExpired(agent_id=state.agent_id, order_id=order.order_id, reason="no_price")
    fresh = context.fresh_mark(order.mint, state.config) is not None
    return OrderExpired(
        agent_id=state.agent_id,
        order_id=order.order_id,
        reason="latency" if fresh else "stale_price",
        price_at=mark.at,
    )


def within_balance(state: AgentState, mint: Mint, got: Execution | Refusal) -> Execution | Refusal:
    """Refuse what would make the balance of the received mint larger than can be held."""
    if isinstance(got, Refusal):
        return got
    received = got.lamports if mint == SOL else got.quantity
    after = state.balances.get(mint, 0) + received
    return got if after <= QUANTITY_MAX else Refusal("balance of at most 2^64-1 base units", str(after))


def _filled(state: AgentState, order: Order, mark: Mark, got: Execution, reference: Price) -> OrderFilled:
    buys = order.side == "buy"
    swap: list[Change] = [
        (SOL, -got.lamports if buys else got.lamports, "swap"),
        (SOL, -got.fee, "fee"),
        (order.mint, got.quantity if buys else -got.quantity, "swap"),
    ]
    held = state.positions.get(order.mint)
    return OrderFilled(
        agent_id=state.agent_id,
        order_id=order.order_id,
        fill_id=ids.fill_id(order.order_id, 0),
        position_id=ids.position_id(order.order_id) if held is None else held.position_id,
        mint=order.mint,
        side=order.side,
        purpose=order.purpose,
        decimals=order.decimals,
        quantity=got.quantity,
        lamports=got.lamports,
        fee=got.fee,
        price=got.price,
        reference_price=reference,
        price_at=mark.at,
        slippage_bps=state.config.fill_model.slippage_bps,
        impact_bps=got.impact_bps,
        ledger=post(state.balances, swap),
        signal_id=order.signal_id,
        symbol=order.symbol,
    )


def _bought(state: AgentState, filled: OrderFilled, context: Context) -> PositionOpened | PositionIncreased:
    lot = Lot(
        fill_id=filled.fill_id,
        quantity=filled.quantity,
        cost_lamports=filled.lamports + filled.fee,
        price=filled.price,
        at=context.now,
    )
    held = state.positions.get(filled.mint)
    if held is not None:
        return PositionIncreased(
            agent_id=state.agent_id,
            position_id=held.position_id,
            mint=filled.mint,
            lot=lot,
            figures=figures_with(held, lot, filled.fee),
        )
    return PositionOpened(
        agent_id=state.agent_id,
        position_id=filled.position_id,
        mint=filled.mint,
        decimals=filled.decimals,
        lot=lot,
        figures=first_figures(lot, filled.fee),
        signal_id=filled.signal_id,
        symbol=filled.symbol,
    )


def _sold(state: AgentState, filled: OrderFilled, order: Order) -> PositionReduced | PositionClosed:
    held = state.positions[filled.mint]
    figures: PositionFigures = figures_without(
        held, filled.quantity, filled.lamports - filled.fee, filled.fee
    )
    if figures.quantity:
        return PositionReduced(
            agent_id=state.agent_id,
            position_id=held.position_id,
            mint=held.mint,
            fill_id=filled.fill_id,
            quantity=filled.quantity,
            figures=figures,
        )
    return PositionClosed(
        agent_id=state.agent_id,
        position_id=held.position_id,
        mint=held.mint,
        decimals=held.decimals,
        fill_id=filled.fill_id,
        entry_fill_id=held.entry_fill_id,
        reason=order.purpose,
        opened_at=held.opened_at,
        quantity=filled.quantity,
        figures=figures,
        entry_price=held.average_entry_price,
        exit_price=filled.price,
        signal_id=held.signal_id,
        symbol=held.symbol,
    )

"""How an order is approved: a signal sized and asked of every rule, or an exit, which is asked of none."""

from __future__ import annotations

from typing import NamedTuple

from daemon.domain import fills, ids
from daemon.domain.config import AgentConfig
from daemon.domain.events import OrderApproved, Purpose, SignalDenied, SignalReceived
from daemon.domain.fills import Execution
from daemon.domain.marks import Mark
from daemon.domain.position import Position
from daemon.domain.risk import RULES, SIZED_RULES, Denial, Proposal, ask
from daemon.domain.settling import within_balance
from daemon.domain.sizing import SIZING
from daemon.domain.state import AgentState, Context, may_fill
from daemon.domain.values import Price


class Approval(NamedTuple):
    """An entry that passed every rule, and what it gets if it fills at once."""

    order: OrderApproved
    execution: Execution | None
    mark: Mark | None
    """The mark that was looked at."""


def propose_entry(state: AgentState, signal: SignalReceived, context: Context) -> SignalDenied | Approval:
    """Size a signal for one agent and ask every rule."""
    config, now = state.config, context.now
    mark = context.mark(signal.mint)
    decimals = context.decimals_of(signal.mint)
    latency_ms = config.fill_model.latency_ms
    proposal = Proposal(signal, state, now, 0, None)
    denial = ask(RULES, proposal)
    if denial is None:
        spend = SIZING[config.sizing.mode](state)
        execution = None
        if mark is not None and spend > 0 and latency_ms == 0 and may_fill(mark, now, config):
            execution = fills.buy(spend, mark.price, decimals, config.fill_model, mark.liquidity)
            execution = within_balance(state, signal.mint, execution)
        proposal = Proposal(signal, state, now, spend, execution)
        denial = ask(SIZED_RULES, proposal)
    if denial is not None:
        return denied(state, signal, denial, mark)
    fill_after = now + latency_ms
    order = OrderApproved(
        agent_id=state.agent_id,
        order_id=ids.order_id(signal.signal_id, state.agent_id, "entry", 0),
        mint=signal.mint,
        side="buy",
        purpose="entry",
        quantity=proposal.spend,
        decimals=decimals,
        approved_at=now,
        fill_after=fill_after,
        expires_at=min(_expiry(fill_after, config), signal.expires_at),
        config_version=state.config_version,
        signal_id=signal.signal_id,
        symbol=signal.symbol,
        price=None if mark is None else mark.price,
        price_at=None if mark is None else mark.at,
    )
    immediate = proposal.execution if isinstance(proposal.execution, Execution) else None
    return Approval(order, immediate, mark)


def approve_exit(
    state: AgentState,
    position: Position,
    context: Context,
    purpose: Purpose,
    *,
    cause: str | None = None,
    trigger_price: Price | None = None,
) -> OrderApproved:
    """An order that sells all of a position. No rule is asked: exits depend on none."""
    config = state.config
    mark = context.mark(position.mint)
    fill_after = context.now + config.fill_model.latency_ms
    return OrderApproved(
        agent_id=state.agent_id,
        order_id=ids.order_id(cause or position.position_id, state.agent_id, purpose, position.exits),
        mint=position.mint,
        side="sell",
        purpose=purpose,
        quantity=position.figures.quantity,
        decimals=position.decimals,
        approved_at=context.now,
        fill_after=fill_after,
        expires_at=_expiry(fill_after, config),
        config_version=state.config_version,
        n=position.exits,
        signal_id=position.signal_id,
        position_id=position.position_id,
        symbol=position.symbol,
        cause=cause,
        trigger_price=trigger_price,
        price=None if mark is None else mark.price,
        price_at=None if mark is None else mark.at,
    )


def _expiry(fill_after: int, config: AgentConfig) -> int:
    """Counted from the end of the latency: an order must have its time in which it may fill."""
    return fill_after + config.market.order_expiry_seconds * 1000


def denied(state: AgentState, signal: SignalReceived, denial: Denial, mark: Mark | None) -> SignalDenied:
    """A rule's denial of a signal."""
    return SignalDenied(
        agent_id=state.agent_id,
        signal_id=signal.signal_id,
        rule=denial.rule,
        limit=denial.limit,
        value=denial.value,
        config_version=state.config_version,
        price=None if mark is None else mark.price,
        price_at=None if mark is None else mark.at,
    )

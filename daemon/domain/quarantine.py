"""What follows when deciding for one agent has failed. Trouble has an owner: nobody else is touched."""

from __future__ import annotations

from daemon.domain import approving
from daemon.domain.agent import AgentCommand, CheckExit, FillWaiting, OrdersDue, Run
from daemon.domain.events import AgentQuarantined, ExitsQuarantined, OrderCanceled, Side, SignalReceived
from daemon.domain.risk import Proposal
from daemon.domain.risk.quarantined import quarantined
from daemon.domain.state import AgentState, Context
from daemon.domain.values import Mint


def quarantine(state: AgentState, command: AgentCommand, context: Context, error: str) -> Run:
    """Stop an agent's entries, and the exits that cannot be computed, after its decision failed.

    Waiting orders that are stopped are canceled, so that nothing hangs and reserves in silence. What fails
    again in quarantine is not said again; a signal is denied as any other.
    """
    run = Run(state)
    run.failed = True
    if not state.quarantined:
        run.emit(AgentQuarantined(agent_id=state.agent_id, input_id=context.input_id, error=error))
        for mint in {order.mint: None for order in state.orders.values()}:
            _cancel(run, mint, "buy")
    elif isinstance(command, SignalReceived):
        denial = quarantined(Proposal(command, state, context.now, 0, None))
        if denial is not None:
            run.emit(approving.denied(state, command, denial, context.mark(command.mint)))
    for mint in _failed_exits(state, command, context):
        _cancel(run, mint, "sell")
        held = state.positions.get(mint)
        if held is not None and not held.exits_quarantined:
            run.emit(
                ExitsQuarantined(
                    agent_id=state.agent_id,
                    position_id=held.position_id,
                    mint=mint,
                    input_id=context.input_id,
                    error=error,
                )
            )
    return run


def _failed_exits(state: AgentState, command: AgentCommand, context: Context) -> list[Mint]:
    """The mints whose exits have failed."""
    match command:
        case CheckExit(mint=mint):
            return [mint]
        case FillWaiting(mint=mint):
            waiting = [order for order in state.orders.values() if order.mint == mint]
            # An entry may have been what failed. It is canceled now; the next price tries the exit alone.
            return [] if any(order.side == "buy" for order in waiting) else [mint]
        case OrdersDue():
            due = [order for order in state.orders.values() if order.is_due(context.now)]
            return list({order.mint: None for order in due if order.side == "sell"})
        case _:
            return []


def _cancel(run: Run, mint: Mint, side: Side) -> None:
    for order in list(run.state.orders.values()):
        if order.mint == mint and order.side == side:
            run.emit(
                OrderCanceled(agent_id=run.state.agent_id, order_id=order.order_id, reason="quarantined")
            )

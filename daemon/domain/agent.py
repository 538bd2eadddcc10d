"""The decider of ONE agent: `decide` says what follows from a command, `evolve` what an event changes.

Both are pure. The agent's input is one of the commands of the tape that concern it, or one of the three that
the tape derives from prices and time. It knows no input ids: repeats are the tape's business.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from pydantic import ValidationError

from daemon.domain import approving, ledger, settling
from daemon.domain.commands import (
    ClosePosition,
    ConfigureAgent,
    DeleteAgent,
    Deposit,
    ReleaseAgent,
    UpdateAgent,
)
from daemon.domain.config import first_fault, given_keys, resolve, stored
from daemon.domain.errors import DomainError
from daemon.domain.events import (
    AgentConfigured,
    AgentDeleted,
    AgentReleased,
    AgentUpdated,
    AnyAgentEvent,
    CommandDenied,
    FundsDeposited,
    OrderApproved,
    OrderCanceled,
    OrderRejected,
    SignalDenied,
    SignalReceived,
)
from daemon.domain.evolve import evolve, fold, initial
from daemon.domain.exits import decide_exit
from daemon.domain.order import Order
from daemon.domain.state import AgentState, Context
from daemon.domain.values import QUANTITY_MAX, SOL, Mint, Price, check_context

__all__ = [
    "AgentCommand",
    "CheckExit",
    "FillWaiting",
    "OrdersDue",
    "Run",
    "decide",
    "evolve",
    "fold",
    "initial",
    "run_command",
]


class FillWaiting(NamedTuple):
    """A new mark of a mint: fill the orders that wait for one."""

    mint: Mint


class CheckExit(NamedTuple):
    """A new mark of a mint: sell its position if an exit acts on it."""

    mint: Mint


class OrdersDue(NamedTuple):
    """Time passed: end the orders whose expiry has come."""


AgentCommand = (
    SignalReceived
    | FillWaiting
    | CheckExit
    | OrdersDue
    | ClosePosition
    | ConfigureAgent
    | UpdateAgent
    | DeleteAgent
    | ReleaseAgent
    | Deposit
)


class Run:
    """A decision under way: what it has decided so far, and the state after that."""

    def __init__(self, state: AgentState) -> None:
        self.state = state
        self.events: list[AnyAgentEvent] = []
        self.denied: CommandDenied | None = None
        self.failed = False
        """Whether deciding raised, and this run holds what followed from that."""

    def emit(self, *events: AnyAgentEvent) -> None:
        """Decide events, one after the other."""
        for event in events:
            self.state = evolve(self.state, event)
        self.events += events

    def deny(self, code: str, rule: str, limit: str, value: str) -> None:
        """Refuse the command as a whole."""
        self.denied = CommandDenied(code=code, rule=rule, limit=limit, value=value)


def decide(state: AgentState, command: AgentCommand, context: Context) -> list[AnyAgentEvent] | CommandDenied:
    """What follows from a command: events (none: it changes nothing), or why it is not possible."""
    run = run_command(state, command, context)
    return run.events if run.denied is None else run.denied


def run_command(state: AgentState, command: AgentCommand, context: Context) -> Run:
    """`decide`, together with the state after its events, so that nobody has to fold them again."""
    check_context()
    run = Run(state)
    match command:
        case SignalReceived():
            _enter(run, command, context)
        case FillWaiting():
            _fill_waiting(run, command.mint, context)
        case CheckExit():
            _check_exit(run, command.mint, context)
        case OrdersDue():
            _expire_due(run, context)
        case ClosePosition():
            _close(run, command, context)
        case ConfigureAgent():
            _configure(run, command)
        case UpdateAgent():
            name = state.name if command.name is None else command.name
            paused = state.paused if command.paused is None else command.paused
            run.emit(AgentUpdated(agent_id=state.agent_id, name=name, paused=paused))
        case DeleteAgent():
            _delete(run)
        case ReleaseAgent():
            run.emit(AgentReleased(agent_id=state.agent_id))
        case Deposit():
            _deposit(run, command, context)
        case _:
            assert_never(command)
    return run


def _enter(run: Run, signal: SignalReceived, context: Context) -> None:
    answer = approving.propose_entry(run.state, signal, context)
    if isinstance(answer, SignalDenied):
        run.emit(answer)
        return
    approved, execution, mark = answer
    run.emit(approved)
    if execution is not None and mark is not None:
        order = run.state.orders[approved.order_id]
        run.emit(*settling.settle(run.state, order, mark, execution, mark.price, context))


def _fill_now(run: Run, order: OrderApproved, context: Context, reference: Price | None = None) -> None:
    """Fill a new order in the same entry, unless it has to wait for a price."""
    mark = context.fresh_mark(order.mint, run.state.config)
    if mark is not None and order.fill_after <= context.now:
        _fill(run, run.state.orders[order.order_id], context, reference)


def _fill(run: Run, order: Order, context: Context, reference: Price | None = None) -> None:
    mark = context.fresh_mark(order.mint, run.state.config)
    if mark is None:
        return
    outcome = settling.fill(run.state, order, mark, context, reference)
    if isinstance(outcome, OrderRejected):
        run.emit(outcome)
    else:
        run.emit(*outcome)


def _fill_waiting(run: Run, mint: Mint, context: Context) -> None:
    for order in list(run.state.orders.values()):
        if order.mint != mint or order.fill_after > context.now or order.is_due(context.now):
            continue
        _fill(run, order, context)


def _check_exit(run: Run, mint: Mint, context: Context) -> None:
    state = run.state
    held = state.positions.get(mint)
    mark = context.fresh_mark(mint, state.config)
    if held is None or mark is None or held.exits_quarantined or state.has_exit(mint):
        return
    decision = decide_exit(held, mark, state.config)
    if decision is None:
        return
    order = approving.approve_exit(
        state, held, context, decision.purpose, trigger_price=decision.trigger_price
    )
    run.emit(order)
    _fill_now(run, order, context, decision.reference_price)


def _expire_due(run: Run, context: Context) -> None:
    for order in list(run.state.orders.values()):
        if not order.is_due(context.now):
            continue
        run.emit(settling.expire(run.state, order, context))
        held = run.state.positions.get(order.mint)
        if order.side == "sell" and held is not None:
            # An exit is never given up: it is issued again under the next n.
            run.emit(
                approving.approve_exit(
                    run.state,
                    held,
                    context,
                    order.purpose,
                    cause=order.cause,
                    trigger_price=order.trigger_price,
                )
            )


def _close(run: Run, command: ClosePosition, context: Context) -> None:
    held = next(
        (each for each in run.state.positions.values() if each.position_id == command.position_id), None
    )
    if held is None:
        raise DomainError(f"position {command.position_id} is not this agent's")
    if run.state.has_exit(held.mint):
        run.deny("POSITION_CLOSING", "one_exit", "1", "an exit of this position is waiting for a price")
        return
    order = approving.approve_exit(run.state, held, context, "manual", cause=context.input_id)
    run.emit(order)
    _fill_now(run, order, context)


def _configure(run: Run, command: ConfigureAgent) -> None:
    try:
        config = resolve(command.config)
    except ValidationError as error:
        run.deny("CONFIG_INVALID", "config", "what this version knows", first_fault(error))
        return
    run.emit(
        AgentConfigured(
            agent_id=run.state.agent_id,
            version=run.state.config_version + 1,
            config=stored(config),
            given=given_keys(config),
        )
    )


def _delete(run: Run) -> None:
    held = len(run.state.positions)
    if held:
        run.deny("AGENT_HAS_OPEN_POSITIONS", "open_positions", "0", str(held))
        return
    _cancel_entries(run)
    run.emit(AgentDeleted(agent_id=run.state.agent_id))


def _deposit(run: Run, command: Deposit, context: Context) -> None:
    if command.lamports <= 0:
        run.deny("AMOUNT_INVALID", "amount", "more than 0 lamports", str(command.lamports))
        return
    balance = run.state.balances.get(SOL, 0) + command.lamports
    if balance > QUANTITY_MAX:
        run.deny("BALANCE_TOO_LARGE", "quantity", "2^64-1 lamports", str(balance))
        return
    entries = ledger.post(run.state.balances, [(SOL, command.lamports, "deposit")])
    run.emit(FundsDeposited(agent_id=run.state.agent_id, deposit_id=context.input_id, ledger=entries))


def _cancel_entries(run: Run) -> None:
    for order in list(run.state.orders.values()):
        if order.side == "buy":
            run.emit(OrderCanceled(agent_id=run.state.agent_id, order_id=order.order_id, reason="deleted"))

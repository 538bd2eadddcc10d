"""How one agent's state follows from its events: `initial`, `evolve`, `fold`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from daemon.domain import ledger
from daemon.domain import position as positions
from daemon.domain.config import from_stored
from daemon.domain.errors import DomainError
from daemon.domain.events import (
    AgentConfigured,
    AgentCreated,
    AgentDeleted,
    AgentQuarantined,
    AgentReleased,
    AgentUpdated,
    AnyAgentEvent,
    ExitsQuarantined,
    FundsDeposited,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    SignalDenied,
)
from daemon.domain.order import Order, approved, next_state
from daemon.domain.position import Position
from daemon.domain.state import AgentState
from daemon.domain.values import Mint, OrderId


def initial(event: AgentCreated) -> AgentState:
    """A new agent."""
    return AgentState(agent_id=event.agent_id, owner=event.owner, name=event.name, mode=event.mode)


def fold(state: AgentState, events: Iterable[AnyAgentEvent]) -> AgentState:
    """The state after some events."""
    for event in events:
        state = evolve(state, event)
    return state


def evolve(state: AgentState, event: AnyAgentEvent) -> AgentState:
    """The state after an event; raises `DomainError` for one that cannot follow."""
    match event:
        case OrderFilled():
            balances = ledger.apply(state.balances, event.ledger)
            return msgspec.structs.replace(
                state, balances=balances, orders=_ended(state, event, event.order_id)
            )
        case OrderApproved():
            return _approved(state, event)
        case PositionOpened() | PositionIncreased() | PositionReduced() | PositionClosed():
            return msgspec.structs.replace(state, positions=_positions(state, event))
        case SignalDenied():
            return state
        case OrderRejected() | OrderExpired() | OrderCanceled():
            return msgspec.structs.replace(state, orders=_ended(state, event, event.order_id))
        case FundsDeposited():
            return msgspec.structs.replace(state, balances=ledger.apply(state.balances, event.ledger))
        case AgentConfigured():
            config = from_stored(event.config)
            return msgspec.structs.replace(state, config=config, config_version=event.version)
        case AgentUpdated():
            return msgspec.structs.replace(state, name=event.name, paused=event.paused)
        case AgentQuarantined():
            return msgspec.structs.replace(state, quarantined=True)
        case ExitsQuarantined():
            held = msgspec.structs.replace(_held(state, event), exits_quarantined=True)
            return msgspec.structs.replace(state, positions={**state.positions, event.mint: held})
        case AgentReleased():
            released = {
                mint: msgspec.structs.replace(each, exits_quarantined=False)
                if each.exits_quarantined
                else each
                for mint, each in state.positions.items()
            }
            return msgspec.structs.replace(state, quarantined=False, positions=released)
        case AgentDeleted():
            return msgspec.structs.replace(state, deleted=True)
        case AgentCreated():
            raise DomainError(f"agent {event.agent_id} exists already")
        case _:
            assert_never(event)


def _approved(state: AgentState, event: OrderApproved) -> AgentState:
    existing = state.orders.get(event.order_id)
    next_state(None if existing is None else "approved", event)
    orders = {**state.orders, event.order_id: approved(event)}
    held = state.positions.get(event.mint)
    if event.side == "buy" or held is None:
        return msgspec.structs.replace(state, orders=orders)
    exited = msgspec.structs.replace(held, exits=held.exits + 1)
    return msgspec.structs.replace(state, orders=orders, positions={**state.positions, event.mint: exited})


def _ended(
    state: AgentState,
    event: OrderFilled | OrderRejected | OrderExpired | OrderCanceled,
    order_id: OrderId,
) -> dict[OrderId, Order]:
    next_state("approved" if order_id in state.orders else None, event)
    orders = dict(state.orders)
    del orders[order_id]
    return orders


def _positions(
    state: AgentState, event: PositionOpened | PositionIncreased | PositionReduced | PositionClosed
) -> dict[Mint, Position]:
    after = dict(state.positions)
    match event:
        case PositionOpened():
            if event.mint in after:
                raise DomainError(f"a position of {event.mint} is open already")
            after[event.mint] = positions.opened(event)
        case PositionIncreased():
            after[event.mint] = positions.increased(_held(state, event), event)
        case PositionReduced():
            after[event.mint] = positions.reduced(_held(state, event), event)
        case PositionClosed():
            if event.quantity != _held(state, event).figures.quantity:
                raise DomainError(f"position {event.position_id} is closed with units left")
            del after[event.mint]
    return after


def _held(
    state: AgentState, event: PositionIncreased | PositionReduced | PositionClosed | ExitsQuarantined
) -> Position:
    held = state.positions.get(event.mint)
    if held is None or held.position_id != event.position_id:
        raise DomainError(f"{type(event).__name__} of position {event.position_id}, which is not open")
    return held

from __future__ import annotations

from typing import cast, get_args

import msgspec
import pytest

from daemon.domain.errors import DomainError
from daemon.domain.events import (
    AgentEvent,
    AnyAgentEvent,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from daemon.domain.evolve import evolve
from daemon.domain.order import TRANSITIONS, Order, State, approved, next_state
from tests.support.examples import AT, EVENTS
from tests.support.given import given

ORDER_EVENTS = (OrderApproved, OrderFilled, OrderRejected, OrderExpired, OrderCanceled)
STATES: tuple[State | None, ...] = (None, *get_args(State))


def example(kind: type[AgentEvent]) -> AnyAgentEvent:
    return cast("AnyAgentEvent", EVENTS[kind])


@pytest.mark.parametrize("kind", ORDER_EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_only_transitions_of_the_table_are_allowed(state: State | None, kind: type[AgentEvent]) -> None:
    """An order begins by approval, ends once, and nothing follows its end."""
    begins = state is None and kind is OrderApproved
    ends = state == "approved" and kind is not OrderApproved
    if begins or ends:
        assert next_state(state, example(kind)) == TRANSITIONS[state, kind]
    else:
        with pytest.raises(DomainError):
            next_state(state, example(kind))


def test_the_table_ends_every_order() -> None:
    """The only state that has a way out is `approved`; every other state is an end."""
    assert {state for state, _ in TRANSITIONS if state is not None} == {"approved"}
    assert set(TRANSITIONS.values()) == set(get_args(State))


@pytest.mark.parametrize("kind", ORDER_EVENTS[1:])
def test_an_end_needs_an_order_that_waits(kind: type[AgentEvent]) -> None:
    """Evolving an agent by the end of an order that is unknown or has ended fails."""
    agent = given(sol=10)
    with pytest.raises(DomainError):
        evolve(agent.state, example(kind))
    waiting = evolve(agent.state, example(OrderApproved))
    ended = evolve(waiting, example(kind))
    assert ended.orders == {}
    with pytest.raises(DomainError):
        evolve(ended, example(kind))


def test_an_order_is_approved_once() -> None:
    """A second approval under the same id fails while the first one waits."""
    event = EVENTS[OrderApproved]
    assert isinstance(event, OrderApproved)
    waiting = evolve(given().state, event)
    with pytest.raises(DomainError):
        evolve(waiting, event)


def order(expires_at: int) -> Order:
    event = EVENTS[OrderApproved]
    assert isinstance(event, OrderApproved)
    return msgspec.structs.replace(approved(event), approved_at=AT, expires_at=expires_at)


def test_an_order_is_due_at_its_expiry() -> None:
    """It waits up to the millisecond before its expiry."""
    assert not order(AT + 1_000).is_due(AT)
    assert not order(AT + 1_000).is_due(AT + 999)
    assert order(AT + 1_000).is_due(AT + 1_000)


def test_an_order_from_the_future_is_due() -> None:
    """Behind its approval (the clock was set back) its expiry is further ahead than its own length: due."""
    assert order(AT + 1_000).is_due(AT - 1)

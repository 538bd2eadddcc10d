"""What an event changes of an agent, and which events cannot follow."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from daemon.domain.errors import DomainError
from daemon.domain.events import (
    AgentCreated,
    AnyAgentEvent,
    Event,
    ExitsQuarantined,
    OrderApproved,
    OrderFilled,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.evolve import evolve, fold
from daemon.domain.state import AgentState
from daemon.domain.values import PositionId
from tests.support.examples import EVENTS, MINT
from tests.support.given import given


def example(kind: type[Event]) -> AnyAgentEvent:
    return cast("AnyAgentEvent", EVENTS[kind])


ENTRY = [example(OrderApproved), example(OrderFilled), example(PositionOpened)]


def holding() -> AgentState:
    return fold(given(sol=10).state, ENTRY)


def test_the_examples_tell_a_story() -> None:
    """Approval, fill and opening of the examples follow each other."""
    state = holding()
    assert state.orders == {}
    assert state.positions[MINT].figures.quantity == state.balances[MINT] == 148_805_970


@pytest.mark.parametrize("kind", [PositionIncreased, PositionReduced, PositionClosed, ExitsQuarantined])
def test_a_position_event_needs_its_position(kind: type[AnyAgentEvent]) -> None:
    """An event of a position that is not open, or is another one, cannot follow."""
    with pytest.raises(DomainError):
        evolve(given(sol=10).state, example(kind))
    another = msgspec.structs.replace(example(kind), position_id=PositionId("another"))
    with pytest.raises(DomainError):
        evolve(holding(), another)
    assert evolve(holding(), example(kind)) != holding()


def test_a_mint_has_one_position() -> None:
    """A second opening of a mint that is held cannot follow."""
    with pytest.raises(DomainError):
        evolve(holding(), example(PositionOpened))


@pytest.mark.parametrize("quantity", [1, 148_805_971])
def test_a_close_sells_all(quantity: int) -> None:
    """A close of less or more than is held cannot follow."""
    closed = cast("PositionClosed", example(PositionClosed))
    with pytest.raises(DomainError):
        evolve(holding(), msgspec.structs.replace(closed, quantity=quantity))


def test_an_agent_is_created_once() -> None:
    """An agent's creation cannot follow anything."""
    with pytest.raises(DomainError):
        evolve(holding(), example(AgentCreated))


def test_evolving_leaves_the_state_before_alone() -> None:
    """States are replaced and never changed, so that they can be kept for a way back."""
    before = given(sol=10).state
    balances, orders = dict(before.balances), dict(before.orders)
    fold(before, ENTRY)
    assert (before.balances, before.orders, before.positions) == (balances, orders, {})

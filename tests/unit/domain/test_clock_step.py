"""The trader's now: it follows the log's clock, and its steps have owners."""

from __future__ import annotations

import pytest

from daemon.domain.commands import TimePassed
from daemon.domain.events import ClockSteppedBack, OrderExpired, OrderFilled
from tests.support.examples import MINT
from tests.support.world import World, kinds, knowledge, only


def test_a_small_step_back_is_ignored() -> None:
    """Up to 5 s behind, now stays where it was and nothing is said."""
    world = World()
    world.agent()
    now = world.tape.now
    assert world.give(TimePassed(), at=now - 5_000) == []
    assert world.tape.now == now


def test_a_large_step_back_is_said() -> None:
    """More than 5 s behind, now follows down and the entry begins with it, whatever the input is."""
    world = World()
    world.agent()
    now = world.tape.now
    events = world.price("1", at=now - 5_001)
    assert events[0] == ClockSteppedBack(from_at=now, to_at=now - 5_001)
    assert world.tape.now == now - 5_001


def test_orders_from_the_future_are_due_at_once() -> None:
    """An order approved while the clock ran ahead expires at the step; an exit among them is issued again."""
    world = World()
    agent = world.agent()
    world.price("1")
    world.signal()
    world.wait(3_600_000)
    world.signal()
    world.close(world.position(agent))
    events = world.wait(-3_000_000)
    assert kinds(events) == ["ClockSteppedBack", "OrderExpired", "OrderExpired", "OrderApproved"]
    assert kinds(world.price("1")) == ["OrderFilled", "PositionClosed"]


def test_orders_from_before_the_future_wait_on() -> None:
    """An order approved before the time stepped back to keeps its expiry."""
    world = World()
    world.agent(config={"market": {"orderExpirySeconds": 86_400}})
    world.signal(expires_at=world.at + 86_000_000)
    world.wait(600_000)
    assert kinds(world.wait(-300_000)) == ["ClockSteppedBack"]
    assert kinds(world.price("1"))[-2:] == ["OrderFilled", "PositionOpened"]


def test_marks_from_the_future_are_stale() -> None:
    """A mark of the time when the clock ran ahead trades nothing until a new reading comes."""
    world = World()
    world.agent()
    world.price("1", after=3_600_000)
    world.wait(-3_000_000)
    assert kinds(world.signal())[-1] == "OrderApproved"
    events = world.price("1.1")
    assert only(events, OrderFilled).price_at == world.at


@pytest.mark.parametrize("ms", [60_000, 86_400_000])
def test_a_step_forward_expires_what_waits(ms: int) -> None:
    """A step forward looks like downtime: waiting orders expire, and nothing trades at an old price."""
    world = World()
    world.agent()
    world.price("1")
    world.wait(60_001)
    world.signal()
    events = world.price("1", after=ms, observed_at=world.at)
    assert kinds(events)[0] == "OrderExpired"
    assert "OrderFilled" not in kinds(events)
    assert only(events, OrderExpired).reason == "stale_price"


def test_a_start_knows_the_time_again() -> None:
    """A fold of what is stored comes to the same now, steps included."""
    world = World()
    world.agent()
    world.wait(3_600_000)
    world.wait(-3_000_000)
    world.wait(-5_000)
    world.price("1", MINT)
    assert knowledge(world.refolded()) == knowledge(world.tape)

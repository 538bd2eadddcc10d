"""The index names whom a price or a time can move, and nobody is forgotten."""

from __future__ import annotations

from daemon.domain.commands import ConfigureAgent
from daemon.domain.events import PositionClosed
from tests.support.examples import MINT, OTHER_MINT
from tests.support.world import World, expected_triggers, knowledge


def stop(percent: int) -> dict[str, object]:
    return {"stopLoss": {"enabled": True, "percent": str(percent)}}


def test_a_price_moves_whom_it_reaches() -> None:
    """Of many stops, a falling price meets the highest first, and each once."""
    world = World()
    agents = [world.agent(config=stop(percent)) for percent in (30, 10, 20)]
    world.price("1")
    world.signal()
    met = [
        [each.agent_id for each in world.price(price) if isinstance(each, PositionClosed)]
        for price in ("0.95", "0.9", "0.85", "0.8", "0.75", "0.7")
    ]
    assert met == [[], [agents[1]], [], [agents[2]], [], [agents[0]]]


def test_those_met_by_one_price_act_in_order_of_creation() -> None:
    """Agents act in order of creation, whatever their levels are."""
    world = World()
    agents = [world.agent(config=stop(percent)) for percent in (30, 10, 20)]
    world.price("1")
    world.signal()
    assert [each.agent_id for each in world.price("0.6") if isinstance(each, PositionClosed)] == agents


def test_a_level_that_was_met_by_a_stale_price_stays_armed() -> None:
    """A price that is too old moves nobody, and the next one still does."""
    world = World()
    world.agent(config=stop(10) | {"market": {"maxPriceAgeSeconds": 5}})
    world.price("1")
    world.signal()
    assert world.price("0.8", after=20_000, observed_at=world.at + 10_000) == []
    assert [type(each) for each in world.price("0.8")][-1] is PositionClosed


def test_the_index_holds_what_the_agents_say() -> None:
    """After many changes of config the index holds each level once, in order, and nothing else."""
    world = World()
    agents = [world.agent(config=stop(10), sol=1_000) for _ in range(3)]
    for mint in (MINT, OTHER_MINT):
        world.price("1", mint)
        world.signal(mint)
    for number in range(300):
        world.give(ConfigureAgent(agent_id=agents[number % 3], config=stop(10 + number % 7)))
        assert knowledge(world.tape)["triggers"] == expected_triggers(world.tape)
    triggers = world.tape.index._triggers
    assert {mint: len(each) for mint, each in triggers.items()} == {MINT: 3, OTHER_MINT: 3}
    assert all(each == sorted(each) for each in triggers.values())


def test_the_next_deadline_is_that_of_the_next_order() -> None:
    """The trader sleeps until the first expiry among the orders that still wait."""
    world = World()
    world.agent(sol=100)
    assert world.tape.index.next_deadline() is None
    world.signal()
    first = world.at + 60_000
    world.signal(OTHER_MINT)
    assert world.tape.index.next_deadline() == first
    world.price("1")
    assert world.tape.index.next_deadline() == first + 1_000
    world.price("1", OTHER_MINT)
    assert world.tape.index.next_deadline() is None

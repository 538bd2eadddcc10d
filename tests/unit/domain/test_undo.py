"""A batch can be taken back as if it had never been."""

from __future__ import annotations

import copy

import pytest

from daemon.domain.commands import Actor, ConfigureAgent, DeleteAgent, Input, ObservePrices, TimePassed
from daemon.domain.tape import PRICE_IDS, Tape
from daemon.domain.undo import Undo
from daemon.domain.values import InputId, Mint
from tests.support.examples import MINT, OTHER_MINT, OWNER, STRANGER
from tests.support.world import World, kinds, knowledge

STOP = {"stopLoss": {"enabled": True, "percent": "10"}}


class Target:
    value = 1


def test_changes_are_taken_back_in_reverse() -> None:
    """Puts, drops, attributes and calls are undone from the newest, up to the savepoint."""
    undo, mapping, target = Undo(), {"a": 1}, Target()
    calls: list[int] = []
    undo.put(mapping, "a", 2)
    savepoint = undo.savepoint()
    undo.put(mapping, "a", 3)
    undo.put(mapping, "b", 4)
    undo.drop(mapping, "a")
    undo.drop(mapping, "unknown")
    undo.set(target, "value", 2)
    undo.call(lambda: calls.append(1))
    undo.call(lambda: calls.append(2))
    undo.rollback(savepoint)
    assert (mapping, target.value, calls) == ({"a": 2}, 1, [2, 1])
    undo.rollback()
    assert mapping == {"a": 1}


def test_what_is_kept_is_kept() -> None:
    """After a commit there is nothing to take back."""
    undo, mapping = Undo(), {"a": 1}
    undo.put(mapping, "a", 2)
    undo.forget()
    undo.rollback()
    assert mapping == {"a": 2}


def test_what_was_kept_first_stays_when_the_rest_is_taken_back() -> None:
    """Up to a savepoint changes can be kept alone, and the later ones still be taken back."""
    undo, mapping = Undo(), {"a": 1}
    undo.put(mapping, "a", 2)
    savepoint = undo.savepoint()
    undo.put(mapping, "a", 3)
    undo.forget(savepoint)
    undo.rollback()
    assert mapping == {"a": 2}


def busy() -> World:
    """A world in which much is going on."""
    world = World()
    agent = world.agent(config=STOP)
    world.agent(owner=STRANGER)
    world.price("1", decimals=6)
    world.signal()
    world.signal(OTHER_MINT)
    world.price("3")
    assert world.state(agent).orders
    return world


def batch(world: World) -> list[str]:
    """A batch that touches everything; the names of its events."""
    agent = world.agent("new", config=STOP)
    events = [*world.signal(), *world.price("2.9", decimals=6), *world.price("1", OTHER_MINT, decimals=9)]
    events += [*world.price("1.5"), *world.price("0.85")]
    events += world.give(ConfigureAgent(agent_id=agent, config={}))
    events += world.wait(3_600_000)
    events += world.signal(OTHER_MINT)
    events += world.wait(-1_800_000)
    events += world.give(DeleteAgent(agent_id=agent))
    return kinds(events)


def test_a_rolled_back_batch_leaves_no_trace() -> None:
    """The tape knows what it knew before: agents, marks, ids, mints, now, deadlines, triggers."""
    world = busy()
    before = copy.deepcopy(knowledge(world.tape))
    world.hold()
    done = batch(world)
    assert {"OrderFilled", "PositionClosed", "OrderExpired", "ClockSteppedBack"} <= set(done)
    world.rollback()
    assert knowledge(world.tape) == before
    assert knowledge(world.refolded()) == before


def test_a_rolled_back_batch_is_decided_the_same_again() -> None:
    """Given again, the same inputs give the same journal, byte for byte."""
    world, other = busy(), busy()
    world.hold()
    for _ in range(3):
        batch(world)
        world.rollback()
    batch(world)
    world.commit()
    batch(other)
    assert world.journal_bytes() == other.journal_bytes()
    assert knowledge(world.tape) == knowledge(other.tape)


def test_a_batch_is_taken_back_behind_one_that_was_kept() -> None:
    """What was decided ahead of a commit is taken back without touching what the commit before it held."""
    world = busy()
    world.hold()
    batch(world)
    decided, kept = world.tape.decided(), copy.deepcopy(knowledge(world.tape))
    world.signal(OTHER_MINT)
    world.price("1.4")
    world.tape.compact(decided)
    world.tape.undo.rollback()
    assert knowledge(world.tape) == kept


def test_the_id_of_prices_is_known_as_long_as_it_counts() -> None:
    """Prices without a key are known as a copy for the next inputs, whatever is freed meanwhile."""
    tape, actor = Tape(), Actor(owner=OWNER, key="k")
    count = 3 * PRICE_IDS
    given = [Input(id=InputId(f"{n}"), actor=actor, command=ObservePrices(readings=())) for n in range(count)]
    for offset, each in enumerate(given):
        tape.remember(offset, each)
        if offset % 100 == 0:
            tape.compact()
    known = [tape.first(count, each) is not None for each in given]
    assert known == [False] * (count - PRICE_IDS) + [True] * PRICE_IDS


def test_a_rolled_back_agent_does_not_come_due() -> None:
    """Deadlines and stops of an agent whose creation was taken back move nobody."""
    world = World()
    world.price("1")
    world.hold()
    world.agent(config=STOP)
    world.signal()
    world.signal(OTHER_MINT)
    world.rollback()
    assert world.tape.index.next_deadline() is None
    assert world.wait(3_600_000) == []
    assert world.price("0.9") == []


@pytest.mark.parametrize("mint", [MINT, OTHER_MINT])
def test_a_stop_survives_a_rollback(mint: Mint) -> None:
    """A trigger that was met in a batch that was taken back is met again."""
    world = World()
    world.agent(config=STOP)
    for each in (MINT, OTHER_MINT):
        world.price("1", each)
        world.signal(each)
    world.hold()
    for _ in range(2):
        assert kinds(world.price("0.8", MINT))[-1] == "PositionClosed"
        world.rollback()
    assert kinds(world.price("0.8", mint))[-1] == "PositionClosed"


def test_an_input_that_fails_leaves_no_trace() -> None:
    """Where deciding an input raises, the savepoint before it brings everything back."""
    world = busy()
    before = copy.deepcopy(knowledge(world.tape))
    savepoint = world.tape.undo.savepoint()
    world.hold()
    world.give(TimePassed(), at=world.at + 3_600_000, owner=OWNER)
    assert knowledge(world.tape) != before
    world.tape.undo.rollback(savepoint)
    assert knowledge(world.tape) == before

"""Properties of the whole tape, over generated sequences of inputs."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.domain import approving, settling
from daemon.domain.events import (
    AgentEvent,
    AnyEvent,
    FundsDeposited,
    InputRepeated,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.lots import average_price, take
from daemon.domain.order import Order
from daemon.domain.risk import RULES
from daemon.domain.values import QUANTITY_MAX, SOL, AgentId, Mint, OrderId, PositionId
from daemon.records import TapeRecord
from tests.support.scripts import SCRIPTS, Player, Step, played
from tests.support.world import World, expected_triggers, knowledge

ENDS = (OrderFilled, OrderRejected, OrderExpired, OrderCanceled)


def journal(world: World) -> list[AnyEvent]:
    """All events, in order."""
    return [event for entry in world.entries.values() for event in entry or []]


@given(SCRIPTS)
def test_balances_are_the_sums_of_ledger_entries(script: list[Step]) -> None:
    """Each entry's balance follows from the one before it, and the last ones are the balances."""
    world = played(script).world
    sums: dict[AgentId, dict[Mint, int]] = defaultdict(lambda: defaultdict(int))
    for event in journal(world):
        if isinstance(event, (OrderFilled, FundsDeposited)):
            for entry in event.ledger:
                sums[event.agent_id][entry.mint] += entry.change
                assert entry.balance == sums[event.agent_id][entry.mint]
                assert 0 <= entry.balance <= QUANTITY_MAX
    for agent_id, agent in world.tape.agents.items():
        assert agent.balances == {mint: each for mint, each in sums[agent_id].items() if each}


@given(SCRIPTS)
def test_nothing_goes_below_zero(script: list[Step]) -> None:
    """No balance, lot, size or fee is negative, and what is reserved never exceeds the balance."""
    player = Player()

    def check(_step: Step, _events: list[AnyEvent]) -> None:
        for agent in player.world.tape.agents.values():
            for mint in {SOL, *agent.balances, *(order.mint for order in agent.orders.values())}:
                assert 0 <= agent.free(mint) <= agent.balances.get(mint, 0)
            for mint, held in agent.positions.items():
                assert held.figures.quantity == agent.balances[mint]
                assert all(lot.quantity > 0 and lot.cost_lamports >= 0 for lot in held.lots)
            assert all(order.quantity > 0 for order in agent.orders.values())

    player.play(script, check)
    for event in journal(player.world):
        if isinstance(event, OrderFilled):
            assert min(event.quantity, event.lamports, event.fee) >= 0
            assert event.fee <= event.lamports or event.side == "buy"


@given(SCRIPTS)
def test_no_money_is_made_or_lost(script: list[Step]) -> None:
    """For every agent: deposits + realized PnL = SOL balance + cost of the open lots, to the lamport."""
    world = played(script).world
    deposits: dict[AgentId, int] = defaultdict(int)
    realized: dict[PositionId, tuple[AgentId, int]] = {}
    for event in journal(world):
        if isinstance(event, FundsDeposited):
            deposits[event.agent_id] += sum(entry.change for entry in event.ledger)
        elif isinstance(event, (PositionReduced, PositionClosed)):
            realized[event.position_id] = (event.agent_id, event.figures.realized_pnl)
    for agent_id, agent in world.tape.agents.items():
        gained = sum(pnl for owner, pnl in realized.values() if owner == agent_id)
        cost = sum(lot.cost_lamports for held in agent.positions.values() for lot in held.lots)
        assert deposits[agent_id] + gained == agent.balances.get(SOL, 0) + cost


@given(SCRIPTS)
def test_figures_are_those_of_the_lots(script: list[Step]) -> None:
    """The figures in every event are those recomputed from fills and lots, with nothing taken on trust."""
    lots: dict[PositionId, tuple[Any, ...]] = {}
    totals: dict[PositionId, list[int]] = {}
    fill: OrderFilled | None = None
    for event in journal(played(script).world):
        if isinstance(event, OrderFilled):
            fill = event
        if not isinstance(event, (PositionOpened, PositionIncreased, PositionReduced, PositionClosed)):
            continue
        assert fill is not None
        place = event.position_id
        total = totals.setdefault(place, [0, 0, 0, 0, 0])  # bought, invested, fees, proceeds, realized
        total[2] += fill.fee
        if isinstance(event, (PositionOpened, PositionIncreased)):
            lots[place] = (*lots.get(place, ()), event.lot)
            total[0] += fill.quantity
            total[1] += fill.lamports + fill.fee
        else:
            lots[place], cost = take(lots[place], fill.quantity)
            total[3] += fill.lamports - fill.fee
            total[4] += fill.lamports - fill.fee - cost
        figures = event.figures
        assert figures.quantity == sum(lot.quantity for lot in lots[place])
        assert figures.cost_lamports == sum(lot.cost_lamports for lot in lots[place])
        assert [
            figures.bought,
            figures.invested_lamports,
            figures.fees,
            figures.proceeds_lamports,
            figures.realized_pnl,
        ] == total
        if lots[place]:
            assert figures.entry_price == average_price(lots[place])
        else:
            assert isinstance(event, PositionClosed)
            assert figures.realized_pnl == figures.proceeds_lamports - figures.invested_lamports


@given(SCRIPTS)
def test_every_order_is_approved_once_and_ends_once(script: list[Step]) -> None:
    """Order ids are unique; an order ends at most once and only after its approval; the rest still waits."""
    world = played(script).world
    waiting: dict[OrderId, AgentId] = {}
    approved: set[OrderId] = set()
    for event in journal(world):
        if isinstance(event, OrderApproved):
            assert event.order_id not in approved
            assert event.approved_at <= event.fill_after < event.expires_at or event.purpose == "entry"
            approved.add(event.order_id)
            waiting[event.order_id] = event.agent_id
        elif isinstance(event, ENDS):
            assert waiting.pop(event.order_id) == event.agent_id
    still: list[Order] = [each for agent in world.tape.agents.values() for each in agent.orders.values()]
    assert set(waiting) == {each.order_id for each in still}


@given(SCRIPTS)
def test_an_input_given_again_is_only_noted(script: list[Step]) -> None:
    """Any remembered input, given again at once, yields `InputRepeated` and changes nothing."""
    player = Player()

    def again(_step: Step, _events: list[AnyEvent]) -> None:
        world = player.world
        record = world.records[-1]
        world.commit()
        before = knowledge(world.tape)
        remembered = any(each[2] and each[2][0] == record.offset for each in before["seen"])
        if remembered:
            events = world.give_bytes(record.data, at=world.tape.now)
            assert [type(each) for each in events] == [InputRepeated]
            assert knowledge(world.tape) == before
            world.rollback()

    player.world.hold()
    player.play(script, again)


@given(SCRIPTS)
def test_a_fold_of_what_is_stored_is_the_live_state(script: list[Step]) -> None:
    """A start knows all that the running trader knew, and both decide the same from there."""
    half = len(script) // 2
    live = played(script[:half])
    started = copy.deepcopy(live)
    started.world.tape = live.world.refolded()
    assert knowledge(started.world.tape) == knowledge(live.world.tape)
    live.play(script[half:])
    started.play(script[half:])
    assert started.world.journal_bytes() == live.world.journal_bytes()
    assert knowledge(live.world.refolded()) == knowledge(started.world.tape) == knowledge(live.world.tape)


@given(SCRIPTS, st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=20))
def test_batches_do_not_matter(script: list[Step], batches: list[tuple[int, bool]]) -> None:
    """However inputs are batched, and whichever batches are taken back first, the journal is the same."""
    one, other = played(script).world, World()
    other.hold()
    left = list(one.records)
    for size, fails in [*batches, (len(left), True)]:
        batch, left = left[:size], left[size:]
        if fails:
            before = copy.deepcopy(knowledge(other.tape))
            give_all(other, batch)
            other.rollback()
            assert knowledge(other.tape) == before
        give_all(other, batch)
        other.commit()
    assert other.journal_bytes() == one.journal_bytes()
    assert knowledge(other.tape) == knowledge(one.tape)


def give_all(world: World, records: Iterable[TapeRecord]) -> None:
    for record in records:
        world.give_bytes(record.data, at=record.at)


@given(SCRIPTS)
def test_the_index_is_what_the_agents_say(script: list[Step]) -> None:
    """After any inputs the index holds every level, every waiting order and every deadline, and no others."""
    player = Player()

    def check(_step: Step, _events: list[AnyEvent]) -> None:
        tape = player.world.tape
        known = knowledge(tape)
        orders = [(a.agent_id, each) for a in tape.agents.values() for each in a.orders.values()]
        assert known["triggers"] == expected_triggers(tape)
        assert known["deadlines"] == {(each.expires_at, agent, each.order_id) for agent, each in orders}
        assert {(mint, each) for mint, agents in known["waiting"].items() for each in agents} == {
            (each.mint, agent) for agent, each in orders
        }

    player.play(script, check)


POISONED = 1
"""The second of the first four agents."""


@pytest.mark.parametrize("part", ["rule", "fill"])
@settings(max_examples=25)
@given(script=SCRIPTS)
def test_an_agents_trouble_is_its_own(part: str, script: list[Step]) -> None:
    """With one agent poisoned, every other agent's events are the same, byte for byte."""
    healthy = played(script)
    victim = healthy.agents[POISONED]
    real_fill = settling.fill

    def rule(proposal: Any) -> None:
        if proposal.agent.agent_id == victim:
            raise ZeroDivisionError

    def fill(state: Any, *rest: Any) -> Any:
        if state.agent_id == victim:
            raise ZeroDivisionError
        return real_fill(state, *rest)

    with pytest.MonkeyPatch.context() as patch:
        if part == "rule":
            patch.setattr(approving, "RULES", (rule, *RULES))
        else:
            patch.setattr(settling, "fill", fill)
        poisoned = World()
        give_all(poisoned, healthy.world.records)
    assert others(poisoned, victim) == others(healthy.world, victim)


def others(world: World, victim: AgentId) -> list[tuple[int, AnyEvent]]:
    """The events of all other agents, with the offsets of their inputs."""
    return [
        (offset, event)
        for offset, entry in world.entries.items()
        for event in entry or []
        if isinstance(event, AgentEvent) and event.agent_id != victim
    ]

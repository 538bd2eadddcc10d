"""Trouble has an owner: an exception while deciding for one agent stops its entries and touches no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daemon.domain import approving, exits, settling
from daemon.domain.commands import ConfigureAgent, Deposit, ReleaseAgent, UpdateAgent
from daemon.domain.errors import BrokenInvariant, DomainError
from daemon.domain.events import (
    AgentQuarantined,
    CommandDenied,
    ExitsQuarantined,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    PositionClosed,
    SignalDenied,
)
from daemon.domain.risk import RULES
from daemon.domain.sizing import SIZING
from daemon.domain.values import SOL, AgentId, InputId
from tests.support.examples import MINT, OTHER_MINT
from tests.support.world import World, kinds, knowledge, of_agent, only

STOP = {"stopLoss": {"enabled": True, "percent": "10"}}


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets rules, sizing, fills or exits fail for one agent from now on; None: for nobody again."""
    victim: list[tuple[AgentId | None, str, type[BaseException]]] = [(None, "", ValueError)]

    def fails(agent: AgentId, part: str) -> None:
        if (agent, part) == victim[0][:2]:
            raise victim[0][2]("poisoned")

    def rule(proposal: Any) -> None:
        fails(proposal.agent.agent_id, "rule")

    real_sizing = SIZING["fixed"]

    def sizing(agent: Any) -> int:
        fails(agent.agent_id, "sizing")
        return real_sizing(agent)

    real_fill, real_expire = settling.fill, settling.expire

    def fill(state: Any, order: Any, *rest: Any) -> Any:
        fails(state.agent_id, "fill")
        fails(state.agent_id, f"fill {order.side}")
        return real_fill(state, order, *rest)

    def expire(state: Any, *rest: Any) -> Any:
        fails(state.agent_id, "expire")
        return real_expire(state, *rest)

    def exit_(position: Any, mark: Any, config: Any) -> Any:
        fails(owners[position.position_id], "exit")
        return None

    def trigger(position: Any, config: Any) -> Any:
        fails(owners.get(position.position_id, AgentId("")), "trigger")

    owners: dict[Any, AgentId] = {}
    monkeypatch.setattr(approving, "RULES", (rule, *RULES))
    monkeypatch.setitem(SIZING, "fixed", sizing)
    monkeypatch.setattr(settling, "fill", fill)
    monkeypatch.setattr(settling, "expire", expire)
    monkeypatch.setattr(exits, "EXITS", (exit_, *exits.EXITS))
    monkeypatch.setattr(exits, "FALLING_TRIGGERS", (trigger, *exits.FALLING_TRIGGERS))

    def poisoned(
        world: World, agent: AgentId | None, part: str = "", error: type[BaseException] = ValueError
    ) -> None:
        owners.update(world.tape.positions)
        victim[0] = (agent, part, error)

    return poisoned


def two(config: dict[str, Any] | None = None) -> tuple[World, AgentId, AgentId]:
    """Two agents, both of which may enter."""
    world = World()
    return world, world.agent("one", config=config), world.agent("two", config=config)


@pytest.mark.parametrize("part", ["rule", "sizing"])
@pytest.mark.parametrize("error", [ValueError, DomainError, ZeroDivisionError, KeyError, AssertionError])
def test_a_failing_decision_quarantines_its_agent_alone(
    poison: Callable[..., None], part: str, error: type[Exception]
) -> None:
    """One event with input and error's name is all that is kept of that agent; the other trades."""
    world, bad, good = two()
    world.price("0.5")
    poison(world, bad, part, error)
    events = world.signal(input_id="the signal")
    assert of_agent(events, bad) == [
        AgentQuarantined(agent_id=bad, input_id=InputId("the signal"), error=error.__name__)
    ]
    assert kinds(of_agent(events, good)) == ["OrderApproved", "OrderFilled", "PositionOpened"]
    assert world.state(bad).balances == {SOL: 10_000_000_000}


def test_nothing_of_the_failed_decision_is_kept(poison: Callable[..., None]) -> None:
    """An order that was approved before the decision failed is not in the entry."""
    world, bad, good = two()
    world.signal()
    world.signal()
    poison(world, bad, "fill")
    events = world.price("0.5")
    assert kinds(of_agent(events, bad)) == ["AgentQuarantined", "OrderCanceled", "OrderCanceled"]
    assert kinds(of_agent(events, good))[:2] == ["OrderFilled", "PositionOpened"]
    assert world.state(bad).orders == {}
    assert world.state(bad).free(SOL) == 10_000_000_000


def test_quarantine_cancels_waiting_entries_of_all_mints(poison: Callable[..., None]) -> None:
    """All waiting entries are canceled in the same entry, and nothing of them fills later."""
    world, bad, good = two()
    world.signal()
    poison(world, bad, "rule")
    events = of_agent(world.signal(OTHER_MINT), bad)
    assert kinds(events) == ["AgentQuarantined", "OrderCanceled"]
    assert only(events, OrderCanceled).reason == "quarantined"
    assert [each.agent_id for each in world.price("0.5") if isinstance(each, OrderFilled)] == [good]


@pytest.mark.parametrize("still_failing", [True, False])
def test_a_quarantined_agent_is_denied_and_said_so(poison: Callable[..., None], still_failing: bool) -> None:
    """Every further signal is denied by the rule `quarantined`, also while its rules still fail."""
    world, bad, _ = two()
    world.price("0.5")
    poison(world, bad, "rule")
    world.signal()
    if not still_failing:
        poison(world, None)
    (denied,) = of_agent(world.signal(), bad)
    assert isinstance(denied, SignalDenied)
    assert denied.rule == "quarantined"


def test_exits_of_a_quarantined_agent_go_on(poison: Callable[..., None]) -> None:
    """A stop of a quarantined agent sells."""
    world, bad, _ = two(STOP)
    world.price("1")
    world.signal()
    poison(world, bad, "sizing")
    world.signal()
    assert world.state(bad).quarantined
    closed = [each.agent_id for each in world.price("0.9") if isinstance(each, PositionClosed)]
    assert bad in closed


@pytest.mark.parametrize("part", ["exit", "fill sell"])
def test_a_failing_exit_is_said_once(poison: Callable[..., None], part: str) -> None:
    """An exit that fails quarantines agent and position's exits in one entry, and is not tried again."""
    world, bad, good = two(STOP)
    world.price("1")
    world.signal()
    poison(world, bad, part)
    events = world.price("0.9")
    assert kinds(of_agent(events, bad)) == ["AgentQuarantined", "ExitsQuarantined"]
    assert kinds(of_agent(events, good)) == ["OrderApproved", "OrderFilled", "PositionClosed"]
    assert world.price("0.8") == []
    poison(world, None)
    assert world.price("0.7") == []


def test_only_that_positions_exits_stop(poison: Callable[..., None]) -> None:
    """The exits of the agent's other positions go on."""
    world = World()
    agent = world.agent(config=STOP)
    for mint in (MINT, OTHER_MINT):
        world.price("1", mint)
        world.signal(mint)
    poison(world, agent, "fill sell")
    world.price("0.9")
    poison(world, None)
    assert only(world.price("0.9", OTHER_MINT), PositionClosed).mint == OTHER_MINT
    assert list(world.state(agent).positions) == [MINT]


def test_a_release_lets_exits_act_again(poison: Callable[..., None]) -> None:
    """After a release the stop sells at the next price."""
    world, bad, _ = two(STOP)
    world.price("1")
    world.signal()
    poison(world, bad, "exit")
    world.price("0.9")
    poison(world, None)
    assert kinds(world.give(ReleaseAgent(agent_id=bad))) == ["AgentReleased"]
    assert only(world.price("0.85"), PositionClosed).agent_id == bad


def test_a_level_that_cannot_be_computed_is_met_by_every_price(poison: Callable[..., None]) -> None:
    """A failure in computing where a stop lies is no trouble of the tape's: each price tries the exit."""
    world, bad, good = two()
    world.price("1")
    world.signal()
    poison(world, bad, "trigger")
    for agent in (bad, good):
        assert kinds(world.give(ConfigureAgent(agent_id=agent, config=STOP))) == ["AgentConfigured"]
    assert world.price("0.99") == []
    assert {each.agent_id for each in world.price("0.8") if isinstance(each, PositionClosed)} == {bad, good}


def test_a_waiting_exit_that_cannot_be_filled_is_said(poison: Callable[..., None]) -> None:
    """A close that fails at its fill quarantines the position's exits; its order is taken back."""
    world, bad, _ = two()
    world.price("1")
    world.signal()
    world.wait(61_000)
    position = world.position(bad)
    world.close(position)
    poison(world, bad, "fill sell")
    events = of_agent(world.price("1"), bad)
    assert kinds(events) == ["AgentQuarantined", "OrderCanceled", "ExitsQuarantined"]
    assert world.price("1") == []
    poison(world, None)
    assert only(world.close(position), PositionClosed).agent_id == bad


def test_an_exit_fills_after_a_failed_entry_of_its_mint(poison: Callable[..., None]) -> None:
    """An entry that fails beside a waiting exit is canceled, and the exit fills at the next price."""
    world, bad, _ = two()
    world.price("1")
    world.signal()
    world.wait(61_000)
    world.close(world.position(bad))
    world.signal(agents=(bad,))
    poison(world, bad, "fill buy")
    assert kinds(of_agent(world.price("1"), bad)) == ["AgentQuarantined", "OrderCanceled"]
    assert only(world.price("1"), PositionClosed).agent_id == bad


def test_an_exit_that_cannot_be_issued_again_is_said(poison: Callable[..., None]) -> None:
    """Where an expiry itself fails, the exit does not hang in silence: it is taken back and said."""
    world, bad, _ = two()
    world.price("1")
    world.signal()
    world.wait(61_000)
    world.close(world.position(bad))
    poison(world, bad, "expire")
    events = of_agent(world.wait(60_000), bad)
    assert kinds(events) == ["AgentQuarantined", "OrderCanceled", "ExitsQuarantined"]
    poison(world, None)
    world.price("1")
    assert only(world.close(world.position(bad)), PositionClosed).agent_id == bad


def test_a_failing_command_is_denied(poison: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command whose decision fails quarantines the agent and answers that it had no effect."""
    world, bad, _ = two()

    def post(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr("daemon.domain.ledger.post", post)
    events = world.give(Deposit(agent_id=bad, lamports=1))
    assert kinds(events) == ["AgentQuarantined", "CommandDenied"]
    assert only(events, CommandDenied).code == "AGENT_QUARANTINED"
    assert world.state(bad).balances == {SOL: 10_000_000_000}


def test_commands_of_a_quarantined_agent_are_taken(poison: Callable[..., None]) -> None:
    """Deposits, configs, updates, closes and the release are taken in quarantine."""
    world, bad, _ = two()
    world.price("0.5")
    world.signal()
    poison(world, bad, "rule")
    world.signal()
    assert world.state(bad).quarantined
    assert kinds(world.give(Deposit(agent_id=bad, lamports=1))) == ["FundsDeposited"]
    assert kinds(world.give(ConfigureAgent(agent_id=bad, config={}))) == ["AgentConfigured"]
    assert kinds(world.give(UpdateAgent(agent_id=bad, name="b"))) == ["AgentUpdated"]
    assert kinds(world.close(world.position(bad)))[0] == "OrderApproved"
    assert kinds(world.give(ReleaseAgent(agent_id=bad))) == ["AgentReleased"]
    poison(world, None)
    assert next(each for each in world.signal() if isinstance(each, OrderApproved)).agent_id == bad


@pytest.mark.parametrize("error", [MemoryError, RecursionError, OSError, BrokenInvariant, KeyboardInterrupt])
def test_what_would_not_repeat_ends_the_process(
    poison: Callable[..., None], error: type[BaseException]
) -> None:
    """Errors of the machine quarantine nobody: they end the trader uncommitted, and leave no trace."""
    world, bad, _ = two()
    world.price("0.5")
    before = knowledge(world.tape)
    poison(world, bad, "rule", error)
    with pytest.raises(error):
        world.signal()
    assert knowledge(world.tape) == before
    poison(world, None)
    assert kinds(world.signal())[-1] == "PositionOpened"


def test_quarantine_survives_a_start(poison: Callable[..., None]) -> None:
    """A fold of what is stored knows who is quarantined, without the failing code running again."""
    world, bad, _ = two(STOP)
    world.price("1")
    world.signal()
    poison(world, bad, "exit")
    world.price("0.9")
    assert knowledge(world.refolded()) == knowledge(world.tape)
    assert world.refolded().agents[bad].positions[MINT].exits_quarantined
    assert only(of_agent(world.entries[len(world.records) - 1] or [], bad), ExitsQuarantined).mint == MINT

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.domain.agent import fold
from daemon.domain.commands import ClosePosition, UpdateAgent
from daemon.domain.events import AgentQuarantined, AgentUpdated, SignalDenied
from daemon.domain.risk import RULES, SIZED_RULES
from daemon.domain.values import QUANTITY_MAX, Price, SignalId
from tests.support.examples import AGENT, AT, MINT, OTHER_MINT, SIGNAL, some_id
from tests.support.given import Given, Outcome, given, mark, signal

LIMITS = "purchaseLimits"


def bought(before: Given, mint: str = MINT, name: str = "earlier") -> Given:
    """The same agent after it bought (or waits to buy, without a mark) on an earlier signal."""
    outcome = before.when(signal(signal_id=SignalId(some_id(name)), mint=mint))
    assert outcome.kinds[0] == "OrderApproved", outcome.events
    return outcome.next()


def entering(config: dict[str, Any], *, sol: int = 10, **changed: Any) -> Outcome:
    return given(config=config, sol=sol).with_mark(mark("0.0067")).when(signal(**changed))


def test_a_signal_is_bought_by_default() -> None:
    """No rule of the default config denies a signal while the balance lasts."""
    assert entering({}).kinds == ["OrderApproved", "OrderFilled", "PositionOpened"]


def test_a_denial_says_what_was_seen() -> None:
    """A denial holds rule, limit, value, the config's version and the price with its time."""
    entering({"signals": {"minStrength": 4}}).then(
        SignalDenied(
            agent_id=AGENT,
            signal_id=SIGNAL,
            rule="min_strength",
            limit="4",
            value="3",
            config_version=1,
            price=Price("0.0067"),
            price_at=AT,
        )
    )


def test_an_expired_signal_is_denied() -> None:
    """A signal trades up to the millisecond before its expiry."""
    entering({}, expires_at=AT).denied("signal_expiry", f"{AT} ms", f"{AT} ms")
    assert entering({}, expires_at=AT + 1).kinds[0] == "OrderApproved"


def test_a_weak_signal_is_denied() -> None:
    """A signal as strong as minStrength trades, a weaker one does not."""
    config = {"signals": {"minStrength": 3}}
    assert entering(config, strength=3).kinds[0] == "OrderApproved"
    entering(config, strength=2).denied("min_strength", "3", "2")


def test_a_signal_type_that_is_not_allowed_is_denied() -> None:
    """Only the named types trade, compared exactly; none named: all do."""
    config = {"signals": {"allowedSignalTypes": ["breakout", "dip"]}}
    assert entering(config, signal_type="dip").kinds[0] == "OrderApproved"
    entering(config, signal_type="Dip").denied("allowed_signal_types", "breakout, dip", "Dip")
    assert entering({}, signal_type="anything").kinds[0] == "OrderApproved"


def test_a_paused_agent_enters_nothing() -> None:
    """The pause switch denies entries until it is lifted."""
    agent = given(AgentUpdated(agent_id=AGENT, name="a", paused=True), sol=10).with_mark(mark("0.0067"))
    agent.when(signal()).denied("paused", "active", "paused")
    active = agent.when(UpdateAgent(agent_id=AGENT, paused=False)).next()
    assert active.when(signal()).kinds[0] == "OrderApproved"


def test_a_quarantined_agent_enters_nothing() -> None:
    """Entries of a quarantined agent are denied, each with its record."""
    event = AgentQuarantined(agent_id=AGENT, input_id=some_id("x"), error="ValueError")
    given(event, sol=10).with_mark(mark("0.0067")).when(signal()).denied("quarantined")


def test_open_positions_are_limited() -> None:
    """A further mint is denied at the limit; a further lot of a mint that is held is not."""
    agent = given(config={LIMITS: {"maxOpenPositions": 1}}, sol=10)
    agent = bought(agent.with_mark(mark("0.0067")).with_mark(mark("2"), OTHER_MINT))
    agent.when(signal(mint=OTHER_MINT)).denied("max_open_positions", "1", "1")
    assert agent.when(signal()).kinds[-1] == "PositionIncreased"


def test_waiting_entries_count_as_open_positions() -> None:
    """An entry that waits for a price takes a place, and a further one of its mint takes none."""
    agent = bought(given(config={LIMITS: {"maxOpenPositions": 1}}, sol=10))
    agent.when(signal(mint=OTHER_MINT)).denied("max_open_positions", "1", "1")
    assert agent.when(signal()).kinds == ["OrderApproved"]


def test_one_position_per_token() -> None:
    """A mint that is held is not bought again; the value names the position."""
    agent = bought(given(config={LIMITS: {"onePositionPerToken": True}}, sol=10).with_mark(mark("0.0067")))
    held = agent.state.positions[MINT].position_id
    agent.when(signal()).denied("already_open", "1", held)
    assert agent.when(signal(mint=OTHER_MINT)).kinds == ["OrderApproved"]


def test_one_position_per_token_counts_a_waiting_entry() -> None:
    """A mint about to be bought is not bought again; the value names the order."""
    agent = bought(given(config={LIMITS: {"onePositionPerToken": True}}, sol=10))
    (order,) = agent.state.orders
    agent.when(signal()).denied("already_open", "1", order)


def test_an_entry_is_paid_from_the_free_balance() -> None:
    """What a waiting order has reserved is not spent twice; the last lamport may be spent."""
    agent = bought(given(config={"sizing": {"amount": "4"}}, sol=7))
    agent.when(signal()).denied("balance", "3 SOL free", "4 SOL")
    agent = bought(given(config={"sizing": {"amount": "4"}}, sol=8))
    assert agent.when(signal()).kinds == ["OrderApproved"]


def test_a_minimum_balance_remains() -> None:
    """An entry must leave the minimum free, to the lamport."""
    config = {LIMITS: {"minimumAgentBalance": "9"}, "sizing": {"amount": "1"}}
    assert entering(config).kinds[0] == "OrderApproved"
    config = {LIMITS: {"minimumAgentBalance": "9.000000001"}}
    entering(config).denied("minimum_balance", "9.000000001 SOL", "9 SOL")


def test_a_minimum_balance_counts_what_is_reserved() -> None:
    """What waiting orders have reserved does not remain."""
    agent = bought(given(config={LIMITS: {"minimumAgentBalance": "8.5"}}, sol=10))
    agent.when(signal()).denied("minimum_balance", "8.5 SOL", "8 SOL")


def test_a_size_that_rounds_to_nothing_is_denied() -> None:
    """A price so high that no base unit is bought denies the entry and quarantines nobody."""
    agent = given(config={"sizing": {"amount": "0.000000001"}}, sol=1)
    agent.with_mark(mark("1e18")).when(signal()).denied("quantity", "1 … 2^64-1 base units", "0")


def test_a_size_that_cannot_be_held_is_denied() -> None:
    """A price of 1e-18 gives more than 2^64 − 1 units: denied, not raised."""
    denial = given(sol=10).with_mark(mark("1e-18")).when(signal())
    denial.denied("quantity", "1 … 2^64-1 base units")
    (event,) = denial.events
    assert isinstance(event, SignalDenied)
    assert int(event.value) > QUANTITY_MAX


def test_what_cannot_be_held_beside_the_balance_is_denied() -> None:
    """Units that fit alone, but not beside those that are held, are denied."""
    agent = given(sol=20).with_mark(mark("0.0000000001"), decimals=9)
    agent = bought(agent)  # 9.97e18 units of at most 1.8e19
    agent.when(signal()).denied("quantity", "balance of at most 2^64-1 base units")


def test_nothing_to_spend_is_denied() -> None:
    """A percentage of nothing is a size of 0, which is denied."""
    config = {"sizing": {"mode": "percent", "percent": "50"}}
    given(config=config).when(signal()).denied("quantity", "at least 1 lamport", "0")


def test_the_first_rule_that_denies_decides() -> None:
    """Rules are asked in the order of the table: signal filters before the agent's own before the money."""
    config = {"signals": {"minStrength": 5}, LIMITS: {"maxOpenPositions": 1}}
    agent = given(AgentUpdated(agent_id=AGENT, name="a", paused=True), config=config)
    agent.when(signal(expires_at=AT)).denied("signal_expiry")
    agent.when(signal()).denied("min_strength")
    agent.when(signal(strength=5)).denied("paused")
    given(sol=0).when(signal()).denied("balance")


def test_every_rule_is_tested_here() -> None:
    """Every rule of the tables is named like its function and has a test in this file."""
    source = Path(__file__).read_text(encoding="utf-8")
    names = [rule.__name__ for rule in (*RULES, *SIZED_RULES)]
    assert len(set(names)) == len(names)
    assert [name for name in names if f'denied("{name}"' not in source] == []


def test_no_rule_is_asked_about_an_exit() -> None:
    """A paused, quarantined agent without free SOL still closes its position."""
    agent = bought(given(sol=1).with_mark(mark("0.0067")))
    quarantined = AgentQuarantined(agent_id=AGENT, input_id=some_id("x"), error="ValueError")
    paused = AgentUpdated(agent_id=AGENT, name="a", paused=True)
    stopped = replace(agent, state=fold(agent.state, [quarantined, paused]))
    outcome = stopped.when(ClosePosition(position_id=agent.state.positions[MINT].position_id))
    assert outcome.kinds == ["OrderApproved", "OrderFilled", "PositionClosed"]

"""One agent's decider, command by command."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from daemon.domain.agent import CheckExit, FillWaiting, OrdersDue, decide, fold
from daemon.domain.commands import (
    ClosePosition,
    ConfigureAgent,
    DeleteAgent,
    Deposit,
    ReleaseAgent,
    UpdateAgent,
)
from daemon.domain.errors import DomainError
from daemon.domain.events import (
    AgentDeleted,
    AgentQuarantined,
    AgentReleased,
    AgentUpdated,
    ExitsQuarantined,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    PositionClosed,
    PositionIncreased,
)
from daemon.domain.ids import order_id
from daemon.domain.values import QUANTITY_MAX, SOL, PositionId, Price, SignalId
from tests.support.examples import AGENT, AT, MINT, SIGNAL, some_id
from tests.support.given import Given, configured, deposited, given, mark, signal

STOP = {"stopLoss": {"enabled": True, "percent": "10"}, "fillModel": {"feeBps": 0}}


def holding(config: dict[str, object] | None = None, sol: int = 10) -> Given:
    """An agent that bought 1 SOL of a token at 0.5."""
    agent = given(config=config or {"fillModel": {"feeBps": 0}}, sol=sol).with_mark(mark("0.5"))
    return agent.when(signal()).next()


def held(agent: Given) -> PositionId:
    return agent.state.positions[MINT].position_id


def test_a_signal_is_approved_and_filled_in_one_entry() -> None:
    """With a fresh price and no latency, approval, fill and position follow each other at once."""
    outcome = given(config={"fillModel": {"feeBps": 100}}, sol=10).with_mark(mark("0.5")).when(signal())
    approved, filled, opened = outcome.events
    assert isinstance(approved, OrderApproved)
    assert isinstance(filled, OrderFilled)
    assert (approved.order_id, approved.quantity) == (order_id(SIGNAL, AGENT, "entry", 0), 1_000_000_000)
    assert (approved.price, approved.price_at, approved.config_version) == (Price("0.5"), AT, 1)
    assert (filled.quantity, filled.lamports, filled.fee) == (1_980_000, 990_000_000, 10_000_000)
    assert [(each.mint, each.change, each.balance) for each in filled.ledger] == [
        (SOL, -990_000_000, 9_010_000_000),
        (SOL, -10_000_000, 9_000_000_000),
        (MINT, 1_980_000, 1_980_000),
    ]
    assert type(opened).__name__ == "PositionOpened"
    assert outcome.state.positions[MINT].figures.cost_lamports == 1_000_000_000
    assert outcome.state.orders == {}


def test_a_second_entry_is_a_further_lot() -> None:
    """Buying what is held increases the position under its first id."""
    agent = holding()
    outcome = agent.when(signal(signal_id=SignalId(some_id("second"))))
    assert isinstance(outcome.events[-1], PositionIncreased)
    assert outcome.events[-1].position_id == held(agent)
    assert [lot.quantity for lot in outcome.state.positions[MINT].lots] == [2_000_000, 2_000_000]


def test_an_order_ends_no_later_than_its_signal() -> None:
    """A waiting entry expires at the earlier of its own expiry and the signal's."""
    for signal_ends, ends in ((AT + 5_000, AT + 5_000), (AT + 300_000, AT + 60_000)):
        (approved,) = given(sol=10).when(signal(expires_at=signal_ends)).events
        assert isinstance(approved, OrderApproved)
        assert approved.expires_at == ends


def test_a_deposit_is_a_ledger_entry() -> None:
    """A deposit adds to the SOL balance; its id is the input's."""
    outcome = given(sol=1).when(Deposit(agent_id=AGENT, lamports=5))
    (event,) = outcome.events
    assert event == msgspec.structs.replace(deposited(5, 1_000_000_005), deposit_id=some_id("input"))
    assert outcome.state.balances == {SOL: 1_000_000_005}


@pytest.mark.parametrize("lamports", [0, -1, -5])
def test_a_deposit_of_nothing_is_denied(lamports: int) -> None:
    """A deposit adds: one of nothing or less is denied, and takes nothing out."""
    given(deposited(5)).when(Deposit(agent_id=AGENT, lamports=lamports)).denied("amount")


def test_a_config_that_nobody_can_follow_is_denied() -> None:
    """A config of unknown or wrong fields is denied by the name of the first, and quarantines nobody."""
    unknown = ConfigureAgent(agent_id=AGENT, config={"sizing": {"amounts": "1"}})
    given(deposited(5)).when(unknown).denied("config", value="sizing.amounts")


def test_a_deposit_that_cannot_be_held_is_denied() -> None:
    """A balance beyond 2^64 − 1 lamports is denied as a whole."""
    given(deposited(QUANTITY_MAX)).when(Deposit(agent_id=AGENT, lamports=1)).denied("quantity")


def test_a_config_has_a_version() -> None:
    """Each config replaces the one before as a whole and raises the version by one."""
    agent = given().when(ConfigureAgent(agent_id=AGENT, config=STOP)).then(configured(STOP, 1))
    second = {"sizing": {"amount": "2"}}
    agent = agent.when(ConfigureAgent(agent_id=AGENT, config=second)).then(configured(second, 2))
    assert not agent.state.config.stop_loss.enabled


def test_an_update_keeps_what_it_does_not_name() -> None:
    """Name and pause flag change one by one."""
    agent = given().when(UpdateAgent(agent_id=AGENT, paused=True))
    agent.then(AgentUpdated(agent_id=AGENT, name="Momentum", paused=True))
    renamed = agent.next().when(UpdateAgent(agent_id=AGENT, name="New"))
    renamed.then(AgentUpdated(agent_id=AGENT, name="New", paused=True))


def test_a_position_is_closed_by_hand() -> None:
    """A close sells all at the fresh price; its cause is the command's id."""
    agent = holding().with_mark(mark("0.75"))
    outcome = agent.when(ClosePosition(position_id=held(agent)))
    approved, _, closed = outcome.events
    assert isinstance(approved, OrderApproved)
    assert isinstance(closed, PositionClosed)
    assert (approved.purpose, approved.cause, approved.n) == ("manual", some_id("input"), 0)
    assert approved.order_id == order_id(some_id("input"), AGENT, "manual", 0)
    assert (closed.reason, closed.exit_price, closed.entry_price) == ("manual", Price("0.75"), Price("0.5"))
    assert closed.figures.realized_pnl == 500_000_000
    assert outcome.state.balances == {SOL: 10_500_000_000}
    assert outcome.state.positions == {}


def test_a_close_waits_for_a_fresh_price() -> None:
    """Without a fresh price a close is approved and waits, reserving what it sells."""
    agent = holding().at(AT + 60_001)
    outcome = agent.when(ClosePosition(position_id=held(agent)))
    assert outcome.kinds == ["OrderApproved"]
    assert outcome.state.free(MINT) == 0
    filled = outcome.next().with_mark(mark("0.5", AT + 61_000)).at(AT + 61_000).when(FillWaiting(MINT))
    assert filled.kinds == ["OrderFilled", "PositionClosed"]


def test_a_position_is_closed_once() -> None:
    """A second close is denied while the first one waits."""
    agent = holding().at(AT + 60_001)
    close = ClosePosition(position_id=held(agent))
    agent.when(close).next().when(close).denied("one_exit", "1")


def test_a_foreign_position_cannot_be_closed() -> None:
    """A position that is not this agent's is an error here: the tape has looked it up."""
    with pytest.raises(DomainError):
        holding().when(ClosePosition(position_id=PositionId(some_id("another"))))


def test_a_stop_sells_all() -> None:
    """A fresh mark at the stop sells the position; the order says which level was crossed."""
    agent = holding(STOP).with_mark(mark("0.45"))
    approved, filled, closed = agent.when(CheckExit(MINT)).events
    assert isinstance(approved, OrderApproved)
    assert isinstance(filled, OrderFilled)
    assert isinstance(closed, PositionClosed)
    assert approved.order_id == order_id(held(agent), AGENT, "stop_loss", 0)
    assert (approved.trigger_price, filled.price) == (Price("0.45"), Price("0.45"))
    assert closed.reason == "stop_loss"
    assert closed.figures.realized_pnl == -100_000_000


def test_a_stop_needs_a_fresh_price() -> None:
    """A stale mark below the stop opens and closes nothing."""
    agent = holding(STOP).with_mark(mark("0.1"))
    assert agent.at(AT + 60_001).when(CheckExit(MINT)).kinds == []
    assert agent.at(AT - 1).when(CheckExit(MINT)).kinds == []


def test_a_position_has_one_exit_at_a_time() -> None:
    """While an exit waits, the stop issues no second one."""
    config = STOP | {"fillModel": {"feeBps": 0, "latencyMs": 1_000}}
    agent = holding(STOP).with_mark(mark("0.1"))
    waiting = agent.when(ConfigureAgent(agent_id=AGENT, config=config)).next().when(CheckExit(MINT))
    assert waiting.kinds == ["OrderApproved"]
    assert waiting.next().when(CheckExit(MINT)).kinds == []


def test_an_exit_that_expires_is_issued_again() -> None:
    """An expired exit is issued under n + 1 with the same purpose, cause and stop, for all that is held."""
    agent = holding().at(AT + 60_001)
    waiting = agent.when(ClosePosition(position_id=held(agent))).next().at(AT + 120_001)
    expired, again = waiting.when(OrdersDue()).events
    assert isinstance(expired, OrderExpired)
    assert isinstance(again, OrderApproved)
    assert (expired.reason, expired.price_at) == ("stale_price", AT)
    assert (again.n, again.purpose, again.cause) == (1, "manual", some_id("input"))
    assert again.order_id == order_id(some_id("input"), AGENT, "manual", 1)


def test_an_entry_that_expires_is_over() -> None:
    """An expired entry gives its reservation back and is not issued again."""
    waiting = given(sol=1).when(signal()).next()
    assert waiting.state.free(SOL) == 0
    outcome = waiting.at(AT + 60_000).when(OrdersDue())
    assert outcome.kinds == ["OrderExpired"]
    assert outcome.state.free(SOL) == 1_000_000_000
    assert waiting.at(AT + 59_999).when(OrdersDue()).kinds == []


def test_an_agent_with_a_position_is_not_deleted() -> None:
    """Deleting is denied while a position is open."""
    holding().when(DeleteAgent(agent_id=AGENT)).denied("open_positions", "0", "1")


def test_deleting_cancels_what_waits() -> None:
    """Waiting entries are canceled in the same entry."""
    waiting = given(sol=10).when(signal()).next()
    order = order_id(SIGNAL, AGENT, "entry", 0)
    waiting.when(DeleteAgent(agent_id=AGENT)).then(
        OrderCanceled(agent_id=AGENT, order_id=order, reason="deleted"), AgentDeleted(agent_id=AGENT)
    )


def test_a_release_lifts_both_quarantines() -> None:
    """Releasing an agent lets its entries and its positions' exits go on."""
    agent = holding(STOP)
    entries = AgentQuarantined(agent_id=AGENT, input_id=some_id("x"), error="E")
    exits = ExitsQuarantined(
        agent_id=AGENT, position_id=held(agent), mint=MINT, input_id=some_id("x"), error="E"
    )
    stopped = replace(agent, state=fold(agent.state, [entries, exits])).with_mark(mark("0.1"))
    assert stopped.when(CheckExit(MINT)).kinds == []
    released = stopped.when(ReleaseAgent(agent_id=AGENT)).then(AgentReleased(agent_id=AGENT))
    assert not released.state.quarantined
    assert released.when(CheckExit(MINT)).kinds == ["OrderApproved", "OrderFilled", "PositionClosed"]


def test_deciding_changes_nothing_by_itself() -> None:
    """A decision is a pure function: the state given is the same afterwards, and so is the answer."""
    agent = holding(STOP).with_mark(mark("0.1"))
    first = decide(agent.state, CheckExit(MINT), agent.context())
    assert decide(agent.state, CheckExit(MINT), agent.context()) == first
    assert agent.state.positions[MINT].exits == 0

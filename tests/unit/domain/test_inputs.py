"""What each input of the tape decides, and for whom."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.domain.commands import (
    AnyCommand,
    ClosePosition,
    ConfigureAgent,
    CreateAgent,
    DeleteAgent,
    Deposit,
    DropInput,
    HandleSignal,
    ObservePrices,
    Reading,
    ReleaseAgent,
    UpdateAgent,
)
from daemon.domain.errors import BrokenInvariant
from daemon.domain.events import (
    AgentConfigured,
    AgentCreated,
    CommandDenied,
    InputDropped,
    InputRepeated,
    MintRegistered,
    OrderApproved,
    OrderFilled,
    PriceRefused,
    SignalDenied,
    SignalReceived,
)
from daemon.domain.tape import Tape
from daemon.domain.values import SOL, AgentId, InputId, PositionId, Price
from daemon.records import encode
from tests.support.examples import AT, MINT, OTHER_MINT, OWNER, STRANGER, an_input, some_id
from tests.support.world import World, folded, kinds, knowledge, of_agent, only

NOBODY = AgentId(some_id("nobody"))

AgentInput = ConfigureAgent | DeleteAgent | Deposit | ReleaseAgent | UpdateAgent

ABOUT_ONE_AGENT: dict[str, Callable[[AgentId], AgentInput]] = {
    "configure": lambda agent: ConfigureAgent(agent_id=agent, config={}),
    "delete": lambda agent: DeleteAgent(agent_id=agent),
    "deposit": lambda agent: Deposit(agent_id=agent, lamports=1),
    "release": lambda agent: ReleaseAgent(agent_id=agent),
    "update": lambda agent: UpdateAgent(agent_id=agent, paused=True),
}


def test_an_agent_has_its_inputs_id() -> None:
    """The resource that a command makes has the input's id."""
    world = World()
    events = world.give(CreateAgent(name="a", mode="simulation"), input_id="agent id")
    assert events == [AgentCreated(agent_id=AgentId("agent id"), owner=OWNER, name="a", mode="simulation")]


def test_an_agent_may_come_with_a_config() -> None:
    """The config given with an agent is its version 1; without one it has version 0, the defaults."""
    world = World()
    events = world.give(CreateAgent(name="a", mode="simulation", config={"sizing": {"amount": "2"}}))
    assert kinds(events) == ["AgentCreated", "AgentConfigured"]
    assert only(events, AgentConfigured).version == 1
    bare = world.agent(config=None)
    assert world.state(bare).config_version == 0


def test_an_agent_does_not_come_with_a_wrong_config() -> None:
    """A config that nobody can follow denies the agent that it is given with."""
    world = World()
    wrong = CreateAgent(name="a", mode="simulation", config={"stopLoss": {"percent": "100"}})
    denied = only(world.give(wrong), CommandDenied)
    assert (denied.code, denied.value) == ("CONFIG_INVALID", "stopLoss.percent")
    assert world.tape.agents == {}


def test_live_agents_are_refused() -> None:
    """There is no live mode yet."""
    world = World()
    denied = only(world.give(CreateAgent(name="a", mode="live")), CommandDenied)
    assert denied.code == "LIVE_UNAVAILABLE"
    assert world.tape.agents == {}


def test_an_agent_is_made_once() -> None:
    """A key so old that its id was forgotten denies the command, and does not halt the tape."""
    world = World()
    agent = world.agent()
    world.tape.seen.forgotten = 2
    denied = only(world.give(CreateAgent(name="b", mode="simulation"), input_id=agent), CommandDenied)
    assert denied.code == "AGENT_EXISTS"
    assert world.state(agent).name == "Momentum"


@pytest.mark.parametrize("name", ABOUT_ONE_AGENT)
@pytest.mark.parametrize("whose", ["unknown", "foreign", "deleted"])
def test_only_an_owner_reaches_an_agent(name: str, whose: str) -> None:
    """Unknown, foreign and deleted agents answer alike, and nothing happens to them."""
    world = World()
    agent = world.agent(sol=0)
    if whose == "deleted":
        world.give(DeleteAgent(agent_id=agent))
    before = world.state(agent)
    command = ABOUT_ONE_AGENT[name](NOBODY if whose == "unknown" else agent)
    (denied,) = world.give(command, owner=STRANGER if whose == "foreign" else OWNER)
    assert isinstance(denied, CommandDenied)
    assert (denied.code, denied.value) == ("AGENT_NOT_FOUND", command.agent_id)
    assert world.state(agent) is before


@pytest.mark.parametrize("whose", ["unknown", "foreign", "closed"])
def test_only_an_owner_reaches_a_position(whose: str) -> None:
    """Unknown, foreign and closed positions answer alike."""
    world = World()
    agent = world.agent()
    world.price("0.5")
    world.signal()
    position = world.position(agent)
    if whose == "closed":
        world.close(position)
    asked = PositionId(NOBODY) if whose == "unknown" else position
    (denied,) = world.close(asked, owner=STRANGER if whose == "foreign" else OWNER)
    assert isinstance(denied, CommandDenied)
    assert (denied.code, denied.rule, denied.value) == ("POSITION_NOT_FOUND", "open_position", asked)


def test_a_signal_reaches_all_agents_of_its_owner() -> None:
    """In order of creation; other owners' and deleted agents do not hear of it."""
    world = World()
    agents = [world.agent() for _ in range(3)]
    world.agent(owner=STRANGER)
    world.give(DeleteAgent(agent_id=agents[1]))
    events = world.signal()
    assert [each.agent_id for each in events if isinstance(each, OrderApproved)] == [agents[0], agents[2]]


def test_a_signal_is_recorded_without_agents() -> None:
    """A signal of an owner without agents is recorded, and does nothing else."""
    world = World()
    assert kinds(world.signal(owner=STRANGER)) == ["SignalReceived"]


def test_a_signal_may_name_its_agents() -> None:
    """Only those named hear of it: in order of creation, and each once."""
    world = World()
    first, second, third = (world.agent() for _ in range(3))
    events = world.signal(agents=(third, first, third))
    assert [each.agent_id for each in events if isinstance(each, OrderApproved)] == [first, third]
    assert only(events, SignalReceived).agent_ids == (third, first, third)
    assert world.state(second).orders == {}
    assert kinds(world.signal(agents=())) == ["SignalReceived"]


@pytest.mark.parametrize("owner", [OWNER, STRANGER])
def test_a_signal_to_an_unknown_agent_is_refused_whole(owner: str) -> None:
    """One unknown or foreign agent among those named denies the signal for all."""
    world = World()
    agent = world.agent()
    unknown = NOBODY if owner == OWNER else world.agent(owner=STRANGER)
    (denied,) = world.signal(agents=(agent, unknown))
    assert isinstance(denied, CommandDenied)
    assert (denied.code, denied.rule, denied.value) == ("AGENT_NOT_FOUND", "agent_ids", unknown)
    assert world.state(agent).orders == {}


def test_a_signal_expires_after_five_minutes() -> None:
    """A signal that does not say expires 5 min after its append; one that says so, then."""
    world = World()
    assert only(world.signal(), SignalReceived).expires_at == world.at + 300_000
    assert only(world.signal(expires_at=AT + 5), SignalReceived).expires_at == AT + 5


def test_an_expired_signal_is_denied_by_each_agent() -> None:
    """A signal that has expired on the tape is recorded with one denial per agent."""
    world = World()
    world.agent()
    world.agent()
    events = world.signal(expires_at=world.at)
    assert [each.rule for each in events if isinstance(each, SignalDenied)] == ["signal_expiry"] * 2


def test_the_first_price_that_states_decimals_fixes_them() -> None:
    """A mint's decimals come from the first accepted reading that states them, once."""
    world = World()
    assert world.price("1") == []
    (registered,) = world.price("1", decimals=6, source="jupiter")
    assert registered == MintRegistered(mint=MINT, decimals=6, source="jupiter")
    assert world.price("1", decimals=6) == []
    refused = only(world.price("1", decimals=9), PriceRefused)
    assert (refused.reason, refused.limit, refused.value) == ("decimals", "6", "9")


def test_else_the_first_fill_fixes_them_to_nine() -> None:
    """A mint without stated decimals gets 9 with its first fill, said once and before it."""
    world = World()
    world.agent()
    world.price("1")
    events = world.signal()
    assert kinds(events) == [
        "SignalReceived",
        "MintRegistered",
        "OrderApproved",
        "OrderFilled",
        "PositionOpened",
    ]
    assert only(events, MintRegistered).decimals == 9
    assert "MintRegistered" not in kinds(world.signal())
    assert only(world.price("1", decimals=6), PriceRefused).reason == "decimals"


def test_an_order_before_the_first_price_fixes_nothing() -> None:
    """A signal that comes before its mint's first price takes the decimals which that price states."""
    world = World()
    agent = world.agent()
    assert kinds(world.signal()) == ["SignalReceived", "OrderApproved"]
    events = world.price("0.5", decimals=6)
    assert kinds(events) == ["MintRegistered", "OrderFilled", "PositionOpened"]
    assert only(events, MintRegistered).decimals == 6
    assert world.state(agent).positions[MINT].decimals == 6
    assert only(events, OrderFilled).quantity == 1_994_000


def test_a_fill_among_readings_fixes_them_for_those_behind() -> None:
    """A fold of a request in whose middle a fill fixed the decimals judges the later readings by them."""
    world = World()
    world.agent()
    world.signal()
    readings = (
        Reading(mint=MINT, price=Price("1"), source="a"),
        Reading(mint=MINT, price=Price("1.1"), source="b", decimals=6),
    )
    events = world.give(ObservePrices(readings=readings))
    assert kinds(events) == ["MintRegistered", "OrderFilled", "PositionOpened", "PriceRefused"]
    assert only(events, MintRegistered).readings == 1
    assert knowledge(world.refolded()) == knowledge(world.tape)


def test_prices_given_again_decide_nothing() -> None:
    """A copy of prices without a key (an append of unknown outcome) cannot confirm its own jump."""
    world = World()
    agent = world.agent(config={"stopLoss": {"enabled": True, "percent": "10"}})
    world.price("1")
    world.signal()
    jump = an_input(ObservePrices(readings=(Reading(mint=MINT, price=Price("0.1"), source="x"),)))
    assert kinds(world.give_bytes(encode(jump), at=world.at + 1)) == ["PriceRefused"]
    assert kinds(world.give_bytes(encode(jump), at=world.at + 1_000)) == ["InputRepeated"]
    assert MINT in world.state(agent).positions
    assert knowledge(world.refolded()) == knowledge(world.tape)


def test_an_old_price_says_that_nothing_trades_at_it() -> None:
    """A reading older than a minute is the mark and is said to be too old, once until a fresh one comes."""
    world = World()
    assert only(world.price("1", observed_at=world.at - 60_000), PriceRefused).reason == "age"
    assert world.price("1.1", observed_at=world.at - 60_000) == []
    assert world.price("1.2") == []
    assert only(world.price("1.3", after=90_000, observed_at=world.at + 1), PriceRefused).reason == "age"


def test_a_denied_signal_fixes_nothing() -> None:
    """Where no order is approved, a mint's decimals stay open."""
    world = World()
    world.agent(sol=0)
    assert kinds(world.signal()) == ["SignalReceived", "SignalDenied"]
    assert kinds(world.price("1", decimals=6)) == ["MintRegistered"]


def test_a_reading_is_judged_by_what_was_fixed_before_it() -> None:
    """A fold of a request whose later reading fixed the decimals judges the earlier ones without them."""
    world = World()
    world.price("1", source="a")
    readings = (
        Reading(mint=MINT, price=Price("3"), source="b", decimals=6, observed_at=world.at + 10),
        Reading(mint=MINT, price=Price("3.1"), source="c", decimals=9, observed_at=world.at + 20),
        Reading(mint=MINT, price=Price("3.1"), source="d", decimals=6, observed_at=world.at + 30),
    )
    events = world.give(ObservePrices(readings=readings))
    assert kinds(events) == ["PriceRefused", "MintRegistered", "PriceRefused"]
    assert [each.reason for each in events if isinstance(each, PriceRefused)] == ["jump", "decimals"]
    assert world.tape.prices[MINT].mark.price == Price("3.1")  # type: ignore[union-attr]
    assert knowledge(world.refolded()) == knowledge(world.tape)


def test_a_refusal_is_said_once() -> None:
    """A price that decides nothing has no entry; a refusal has one, once per source and reason."""
    world = World()
    assert world.price("1") == []
    assert kinds(world.price("9", source="a")) == ["PriceRefused"]
    assert world.price("9.1", source="a", after=61_000) == []
    assert kinds(world.price("99", source="b")) == ["PriceRefused"]
    assert world.entries[0] is None


def test_prices_concern_their_mint_alone() -> None:
    """A price of one mint fills and stops nothing of another."""
    world = World()
    agent = world.agent(config={"stopLoss": {"enabled": True, "percent": "10"}})
    world.price("1")
    world.signal()
    world.signal(OTHER_MINT)
    assert kinds(world.price("0.5", OTHER_MINT)) == ["MintRegistered", "OrderFilled", "PositionOpened"]
    assert set(world.state(agent).positions) == {MINT, OTHER_MINT}


COMMANDS_AGAIN: dict[str, AnyCommand] = {
    "signal": HandleSignal(mint=MINT, signal_type="buy", strength=3),
    "prices": ObservePrices(readings=(Reading(mint=MINT, price=Price("1"), source="x"),)),
    "create": CreateAgent(name="b", mode="simulation"),
    "live": CreateAgent(name="b", mode="live"),
    "configure": ConfigureAgent(agent_id=NOBODY, config={}),
    "close": ClosePosition(position_id=PositionId(NOBODY)),
    "drop": DropInput(offset=3, reason="x"),
}


@pytest.mark.parametrize("name", COMMANDS_AGAIN)
@pytest.mark.parametrize("same", [True, False])
def test_an_input_given_again_is_only_noted(name: str, same: bool) -> None:
    """A copy, denied the first time or not, has no effect; the note says whether the body was the same."""
    world = World()
    world.agent()
    world.give(COMMANDS_AGAIN[name], input_id="x", body="first")
    offset = len(world.records) - 1
    before = knowledge(world.tape)
    (event,) = world.give(COMMANDS_AGAIN[name], input_id="x", body="first" if same else "second", after=0)
    assert event == InputRepeated(input_id=InputId("x"), first_offset=offset, same_body=same)
    assert knowledge(world.tape) == before


def test_prices_without_a_key_are_not_remembered() -> None:
    """Their random ids cannot recur; remembering them would push others out of the window."""
    world = World()
    world.price("1")
    world.wait(1)
    assert len(world.tape.seen) == 0


def test_time_that_passes_decides_nothing_by_itself() -> None:
    """A reminder has an entry, with whatever was due."""
    world = World()
    assert world.wait(1) == []
    assert world.entries[0] == []


def test_a_drop_without_a_halt_does_nothing() -> None:
    """DropInput acts only on a halted trader, which looks ahead for it."""
    world = World()
    agent = world.agent()
    before = world.state(agent)
    assert world.give(DropInput(offset=0, reason="x")) == []
    assert world.state(agent) is before


def test_a_dropped_input_has_no_effect() -> None:
    """The entry says who dropped it; neither its id nor its prices are folded, then or at a start."""
    world = World()
    world.agent()
    lost = an_input(ObservePrices(readings=(Reading(mint=MINT, price=Price("1"), source="x"),)), "lost")
    events = world.give_dropped(encode(lost))
    assert events == [InputDropped(by=OWNER, key="key-1", reason="unreadable")]
    assert world.tape.prices == {}
    assert knowledge(world.refolded()) == knowledge(world.tape)
    assert world.give_bytes(encode(lost), at=world.at + 1) == []
    assert MINT in world.tape.prices


def test_an_unreadable_input_can_be_dropped() -> None:
    """Bytes that are no input are skipped by a drop, and a start accepts them only with it."""
    world = World()
    world.give_dropped(b"\xff not json")
    assert knowledge(world.refolded()) == knowledge(world.tape)
    with pytest.raises(BrokenInvariant):
        folded(world.records, [])


def test_a_journal_that_does_not_follow_is_refused() -> None:
    """A fold meets an event of an unknown agent, or one that cannot follow, with a broken invariant."""
    world = World()
    world.agent()
    world.price("1")
    world.signal()
    event = world.entries[3]
    assert event is not None
    with pytest.raises(BrokenInvariant):
        Tape().fold(0, AT, None, (InputDropped(by=OWNER, key="k", reason="r"), *event))
    twice = world.refolded()
    with pytest.raises(BrokenInvariant):
        twice.fold(4, AT + 9_000, None, (InputDropped(by=OWNER, key="k", reason="r"), *event[2:]))


def test_deleting_frees_and_forgets() -> None:
    """A deleted agent's waiting orders are canceled; later prices and signals pass it by."""
    world = World()
    agent = world.agent()
    world.signal()
    assert kinds(world.give(DeleteAgent(agent_id=agent))) == ["OrderCanceled", "AgentDeleted"]
    assert world.price("1") == []
    assert kinds(world.signal()) == ["SignalReceived"]
    assert world.wait(600_000) == []
    assert knowledge(world.tape)["deadlines"] == set()


def test_a_config_counts_from_the_next_input() -> None:
    """Orders name the version of the config that they were decided under."""
    world = World()
    agent = world.agent(sol=100)
    versions = [only(world.signal(), OrderApproved).config_version]
    for amount in ("2", "3"):
        world.give(ConfigureAgent(agent_id=agent, config={"sizing": {"amount": amount}}))
        versions.append(only(world.signal(), OrderApproved).config_version)
    assert versions == [0, 1, 2]
    assert [each.quantity for each in world.state(agent).orders.values()] == [10**9, 2 * 10**9, 3 * 10**9]


def test_owners_do_not_share_a_signal() -> None:
    """The same signal of two owners trades once for each, with its own events."""
    world = World()
    mine, theirs = world.agent(), world.agent(owner=STRANGER)
    world.price("1")
    for owner, agent in ((OWNER, mine), (STRANGER, theirs)):
        events = world.signal(owner=owner)
        assert only(events, SignalReceived).owner == owner
        assert kinds(of_agent(events, agent)) == ["OrderApproved", "OrderFilled", "PositionOpened"]
    assert world.state(mine).balances[SOL] == world.state(theirs).balances[SOL] == 9_000_000_000

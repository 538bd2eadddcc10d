"""Orders that wait for a price: through the whole tape."""

from __future__ import annotations

from daemon.domain.commands import ConfigureAgent, ObservePrices, Reading
from daemon.domain.events import (
    OrderApproved,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.values import SOL, AgentId, Price
from tests.support.examples import MINT
from tests.support.world import World, kinds, only

LATENT = {"fillModel": {"latencyMs": 2_000, "feeBps": 0}}
STOP = {"stopLoss": {"enabled": True, "percent": "10"}, "fillModel": {"feeBps": 0}}


def test_an_entry_waits_for_the_first_price() -> None:
    """Without any price an order is approved, reserves its size, and fills at the first reading."""
    world = World()
    agent = world.agent()
    assert kinds(world.signal()) == ["SignalReceived", "OrderApproved"]
    assert world.state(agent).free(SOL) == 9_000_000_000
    events = world.price("0.5")
    assert kinds(events) == ["MintRegistered", "OrderFilled", "PositionOpened"]
    assert only(events, OrderFilled).reference_price == Price("0.5")


def test_an_entry_waits_while_the_price_is_stale() -> None:
    """A reading that is too old itself fills nothing; the next fresh one does."""
    world = World()
    world.agent(config={"market": {"maxPriceAgeSeconds": 10}})
    world.price("0.5", observed_at=world.at - 20_000)
    assert kinds(world.signal())[-1] == "OrderApproved"
    assert world.price("0.6", observed_at=world.at - 12_000) == []
    assert only(world.price("0.7"), OrderFilled).reference_price == Price("0.7")


def test_a_price_is_fresh_up_to_the_agents_age() -> None:
    """A price exactly as old as allowed fills at once, a millisecond older makes the order wait."""
    for late, last in ((0, "PositionOpened"), (1, "OrderApproved")):
        world = World()
        world.agent(config={"market": {"maxPriceAgeSeconds": 10}})
        world.price("0.5")
        assert kinds(world.signal(after=10_000 + late))[-1] == last


def test_an_order_without_any_price_expires() -> None:
    """The reason is that there was no price."""
    world = World()
    world.agent(config={"market": {"orderExpirySeconds": 5}})
    world.signal()
    assert world.wait(4_999) == []
    expired = only(world.wait(1), OrderExpired)
    assert (expired.reason, expired.price_at) == ("no_price", None)


def test_an_order_with_a_stale_price_expires() -> None:
    """The reason is that the price was stale, and the event says of when it was."""
    world = World()
    world.agent(config={"market": {"orderExpirySeconds": 5, "maxPriceAgeSeconds": 1}})
    world.price("0.5")
    priced_at = world.at
    world.signal(after=2_000)
    expired = only(world.wait(5_000), OrderExpired)
    assert (expired.reason, expired.price_at) == ("stale_price", priced_at)


def test_what_is_due_comes_before_the_input() -> None:
    """A price that comes at the very moment of the expiry fills nothing."""
    world = World()
    agent = world.agent(config={"market": {"orderExpirySeconds": 5}})
    world.signal()
    assert kinds(world.price("0.5", after=5_000)) == ["OrderExpired"]
    assert world.state(agent).free(SOL) == 10_000_000_000


def test_a_refused_price_fills_nothing() -> None:
    """An order waits while the guard keeps a jump from trading, and fills at its confirmation."""
    world = World()
    world.agent(config={"market": {"maxPriceAgeSeconds": 1}})
    world.price("1")
    world.signal(after=2_000)
    assert kinds(world.price("5")) == ["PriceRefused"]
    assert only(world.price("5.5"), OrderFilled).reference_price == Price("5.5")


def test_latency_fills_at_the_first_price_after_it() -> None:
    """With latency a fresh price does not fill at once, nor one before the delay is over."""
    world = World()
    world.agent(config=LATENT)
    world.price("0.5")
    assert kinds(world.signal())[-1] == "OrderApproved"
    assert world.price("0.6", after=1_999) == []
    assert only(world.price("0.7", after=1), OrderFilled).reference_price == Price("0.7")


def test_latency_compares_the_logs_time() -> None:
    """A reading that was observed before the delay is over but appended after it fills."""
    world = World()
    world.agent(config=LATENT)
    world.price("0.5")
    world.signal()
    assert kinds(world.price("0.6", after=2_000, observed_at=world.at + 500))[1] == "OrderFilled"


def test_no_price_after_the_latency_expires_the_order() -> None:
    """A fresh price that came before the delay was over is named as the reason: latency."""
    world = World()
    world.agent(config=LATENT | {"market": {"orderExpirySeconds": 5}})
    world.signal()
    world.price("0.5")
    assert only(world.wait(10_000), OrderExpired).reason == "latency"


def test_an_expiry_is_counted_from_the_end_of_the_latency() -> None:
    """A latency as long as the expiry still lets an order fill: it waits for a price from then on."""
    world = World()
    world.agent(config={"fillModel": {"latencyMs": 10_000}, "market": {"orderExpirySeconds": 5}})
    world.price("0.5")
    world.signal()
    assert world.price("0.5", after=9_999) == []
    assert kinds(world.price("0.5", after=4_000))[-2:] == ["OrderFilled", "PositionOpened"]


def test_an_exit_with_a_latency_longer_than_its_expiry_is_filled() -> None:
    """A stop is not issued again for ever without a chance to fill."""
    world = World()
    config = STOP | {"fillModel": {"latencyMs": 10_000}, "market": {"orderExpirySeconds": 1}}
    agent = world.agent(config=config)
    world.signal()
    world.price("1", after=10_000)
    world.price("0.8")
    for _ in range(14):
        world.price("0.8")
    assert world.state(agent).positions == {}


def test_an_exit_waits_for_a_fresh_price() -> None:
    """A close without a fresh price waits; it is issued again at each expiry until a price comes."""
    world = World()
    agent = world.agent()
    world.price("0.5")
    world.signal()
    world.wait(61_000)
    numbers = [only(world.close(world.position(agent)), OrderApproved).n]
    for _ in range(3):
        events = world.wait(60_000)
        assert only(events, OrderExpired).reason == "stale_price"
        numbers.append(only(events, OrderApproved).n)
    assert numbers == [0, 1, 2, 3]
    assert only(world.price("0.6"), PositionClosed).reason == "manual"


def test_order_ids_of_an_exit_differ() -> None:
    """Each time an exit is issued again it has another id, and so have later exits of the position."""
    world = World()
    agent = world.agent()
    world.price("0.5")
    world.signal()
    position = world.position(agent)
    world.wait(61_000)
    orders = [only(world.close(position), OrderApproved).order_id]
    orders += [only(world.wait(60_000), OrderApproved).order_id for _ in range(2)]
    assert len(set(orders)) == 3


def test_a_waiting_exit_sells_what_it_reserved() -> None:
    """Units bought while an exit waits stay: the exit sells what it was approved for."""
    world = World()
    agent = world.agent(config={"fillModel": {"feeBps": 0, "latencyMs": 5_000}})
    world.signal()
    world.price("0.5", after=5_000)
    world.signal()
    world.close(world.position(agent))
    events = world.price("0.5", after=5_000)
    assert kinds(events) == ["OrderFilled", "PositionIncreased", "OrderFilled", "PositionReduced"]
    assert only(events, PositionReduced).quantity == 2_000_000_000
    assert world.state(agent).positions[MINT].figures.quantity == 2_000_000_000


def test_an_entry_is_not_stopped_by_a_low_from_before_it() -> None:
    """A candle that fills an entry does not stop it: its low was seen before its price was paid."""
    world = World()
    agent = world.agent(config=STOP | {"market": {"maxPriceAgeSeconds": 1}})
    world.price("1")
    world.signal(after=5_000)
    assert kinds(world.price("1", low="0.6"))[-2:] == ["OrderFilled", "PositionOpened"]
    assert kinds(world.price("0.89"))[-1] == "PositionClosed"
    assert world.state(agent).positions == {}


def test_a_stop_comes_before_a_further_lot() -> None:
    """A reading first stops what was held before it, then fills what waits for it."""
    world = World()
    world.agent(config=STOP)
    world.price("1")
    world.signal()
    world.wait(61_000)
    world.signal()
    events = world.price("0.8")
    assert kinds(events) == [
        "OrderApproved",
        "OrderFilled",
        "PositionClosed",
        "OrderFilled",
        "PositionOpened",
    ]
    assert only(events, PositionOpened).figures.entry_price == Price("0.8")


def test_each_agent_fills_by_its_own_config() -> None:
    """Orders of one mint wait and fill per agent, in order of creation."""
    world = World()
    quick, slow = world.agent(), world.agent(config=LATENT)
    world.signal()
    assert [each.agent_id for each in fills(world, "0.5", 1_000)] == [quick]
    assert [each.agent_id for each in fills(world, "0.5", 1_000)] == [slow]


def fills(world: World, price: str, after: int) -> list[OrderFilled]:
    return [each for each in world.price(price, after=after) if isinstance(each, OrderFilled)]


def test_a_rejected_order_is_over() -> None:
    """What the venue cannot execute ends the order and gives the reservation back."""
    world = World()
    agent = world.agent(config={"sizing": {"amount": "0.000000001"}, "fillModel": {"feeBps": 0}})
    world.signal()
    rejected = only(world.price("1e18"), OrderRejected)
    assert (rejected.rule, rejected.value) == ("quantity", "0")
    assert world.state(agent).free(SOL) == 10_000_000_000


def test_readings_of_one_request_are_decided_in_order() -> None:
    """One request may hold several readings of a mint: each fills and stops in its turn."""
    world = World()
    world.agent(config=STOP)
    world.signal()
    readings = tuple(Reading(mint=MINT, price=Price(each), source="test") for each in ("1", "0.9", "0.8"))
    events = world.give(ObservePrices(readings=readings))
    assert kinds(events) == [
        "MintRegistered",
        "OrderFilled",
        "PositionOpened",
        "OrderApproved",
        "OrderFilled",
        "PositionClosed",
    ]
    assert only(events, PositionClosed).exit_price == Price("0.9")


def test_a_stop_follows_the_config() -> None:
    """A stop that is armed, tightened or switched off later acts at the next price accordingly."""
    world = World()
    agents = [world.agent() for _ in range(3)]
    world.price("1")
    world.signal()
    stops: list[dict[str, object]] = [{"enabled": True, "percent": "5"}, {"enabled": True}, {}]
    for agent, stop in zip(agents, stops, strict=True):
        configure(world, agent, stop)
    assert [each.agent_id for each in closed(world, "0.9")] == agents[:1]
    configure(world, agents[1], {"enabled": False})
    configure(world, agents[2], {"enabled": True, "percent": "50"})
    assert closed(world, "0.6") == []
    assert [each.agent_id for each in closed(world, "0.5")] == agents[2:]


def configure(world: World, agent: AgentId, stop: dict[str, object]) -> None:
    world.give(ConfigureAgent(agent_id=agent, config={"stopLoss": stop}))


def closed(world: World, price: str) -> list[PositionClosed]:
    return [each for each in world.price(price) if isinstance(each, PositionClosed)]

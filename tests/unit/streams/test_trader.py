"""The trader on the memory log: batches, commits in doubt, deadlines, halts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from daemon.domain.commands import (
    Actor,
    AnyCommand,
    CreateAgent,
    Deposit,
    DropInput,
    HandleSignal,
    Input,
    ObservePrices,
    Reading,
)
from daemon.domain.events import (
    AnyEvent,
    InputDropped,
    InputRepeated,
    OrderExpired,
    OrderFilled,
    SignalDenied,
)
from daemon.domain.values import AgentId, InputId, Mint, Owner, Price
from daemon.metrics import Metrics
from daemon.records import ChainReader, Sealed, encode
from streams.intake import Intake
from streams.log.contract import Claim, Fenced, LogUnavailable, OutcomeUnknown
from streams.log.memory import MemoryLog
from streams.stages.trader import LostClaim, Trader
from streams.standing import Standing, TapeStanding

MINT = Mint("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
ACTOR = Actor(owner=Owner("operator"), key="key")
AGENT = AgentId("11111111-1111-4111-8111-111111111111")
START = 1_700_000_000_000


class Clock:
    """The log's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class TroubledLog(MemoryLog):
    """A memory log whose next commits end as told: before or after they were stored."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self.trouble: list[Callable[[Callable[[], Awaitable[int]]], Awaitable[int]]] = []

    async def commit(self, claim: Claim, journal: int, reached: int, entries: Sequence[Sealed]) -> int:
        async def store() -> int:
            return await MemoryLog.commit(self, claim, journal, reached, entries)

        return await self.trouble.pop(0)(store) if self.trouble else await store()


async def stored_but_unknown(store: Callable[[], Awaitable[int]]) -> int:
    await store()
    raise OutcomeUnknown("the connection broke behind the commit")


async def lost_and_unknown(_store: Callable[[], Awaitable[int]]) -> int:
    raise OutcomeUnknown("the connection broke before the commit")


async def unavailable(_store: Callable[[], Awaitable[int]]) -> int:
    raise LogUnavailable("no connection")


async def stored_then_fenced(store: Callable[[], Awaitable[int]]) -> int:
    await store()
    raise Fenced("the head has moved")


class World:
    """A log, its intake and its trader."""

    def __init__(self, log: TroubledLog, clock: Clock) -> None:
        self.log, self.clock = log, clock
        self.standing = Standing([TapeStanding()])
        self.intake = Intake(log, self.standing, Metrics())
        self.stop = asyncio.Event()

        async def append(item: Input) -> int:
            return (await self.intake.put_on(0, item)).offset

        self.trader = Trader(log, 0, self.standing, Metrics(), append)

    async def put(self, name: str, command: AnyCommand) -> int:
        """Append an input and wait until it is decided."""
        item = Input(id=InputId(name), actor=ACTOR, command=command, hash=name)
        offset = (await self.intake.put(item)).offset
        await self.decided(offset)
        return offset

    async def decided(self, offset: int) -> None:
        """Wait until the trader has reached an offset."""
        while self.standing.tapes[0].reached < offset:
            await asyncio.sleep(0)

    async def events(self) -> list[AnyEvent]:
        """Everything the journal holds; checks the chain."""
        page = await self.log.read_journal(0, -1, 10_000)
        return [event for entry in ChainReader().read(page.records) for event in entry.events]


@asynccontextmanager
async def world(log: TroubledLog | None = None, clock: Clock | None = None) -> AsyncIterator[World]:
    clock = clock or Clock()
    made = World(log or TroubledLog(clock), clock)
    running = asyncio.create_task(made.trader.run(made.stop))
    try:
        yield made
    finally:
        made.stop.set()
        await running


async def fund(made: World) -> None:
    await made.put(AGENT, CreateAgent(name="one", mode="simulation"))
    await made.put("deposit", Deposit(agent_id=AGENT, lamports=10_000_000_000))


def price(text: str) -> ObservePrices:
    return ObservePrices(readings=(Reading(mint=MINT, price=Price(text), source="test"),))


def buy() -> HandleSignal:
    return HandleSignal(mint=MINT, signal_type="buy", strength=3)


async def test_a_signal_becomes_a_fill_on_the_journal() -> None:
    """What is posted is decided and committed, and the chain of the journal holds."""
    async with world() as made:
        await fund(made)
        await made.put("price", price("0.5"))
        await made.put("signal", buy())
        assert [type(event) for event in await made.events()].count(OrderFilled) == 1


@pytest.mark.parametrize("trouble", [stored_but_unknown, lost_and_unknown, unavailable, stored_then_fenced])
async def test_a_commit_in_doubt_decides_each_input_once(
    trouble: Callable[[Callable[[], Awaitable[int]]], Awaitable[int]],
) -> None:
    """However a commit ends, its inputs are decided exactly once and trading goes on."""
    async with world() as made:
        await fund(made)
        await made.put("price", price("0.5"))
        made.log.trouble = [trouble]
        await made.put("signal 1", buy())
        await made.put("signal 2", buy())
        filled = [event for event in await made.events() if isinstance(event, OrderFilled)]
        assert [event.signal_id for event in filled] == ["signal 1", "signal 2"]
        assert filled[-1].ledger[1].balance == 8_000_000_000


async def test_a_later_claim_ends_the_trader() -> None:
    """A trader that was fenced commits nothing more and says so."""
    clock = Clock()
    log = TroubledLog(clock)
    made = World(log, clock)
    running = asyncio.create_task(made.trader.run(made.stop))
    await fund(made)
    await log.claim(0, "another")
    await made.intake.put(Input(id=InputId("late"), actor=ACTOR, command=buy(), hash="late"))
    with pytest.raises(LostClaim):
        await running
    assert made.standing.tapes[0].reached == 1


async def test_a_second_trader_goes_on_where_the_first_ended() -> None:
    """A start folds tape and journal to the state in which the last trader stopped."""
    clock = Clock()
    log = TroubledLog(clock)
    async with world(log, clock) as first:
        await fund(first)
        await first.put("price", price("0.5"))
        await first.put("signal 1", buy())
    async with world(log, clock) as second:
        await second.put("signal 1", buy())
        await second.put("signal 2", buy())
        events = await second.events()
    assert [event.same_body for event in events if isinstance(event, InputRepeated)] == [True]
    assert [event.ledger[1].balance for event in events if isinstance(event, OrderFilled)] == [
        9_000_000_000,
        8_000_000_000,
    ]


async def test_a_waiting_order_expires_although_nothing_comes() -> None:
    """The trader reminds itself of a deadline, also of one that it only knows from the fold."""
    clock = Clock()
    log = TroubledLog(clock)
    async with world(log, clock) as made:
        await fund(made)
        await made.put("signal", buy())  # no price: the order waits
    clock.now += 61_000
    async with world(log, clock) as made:
        while not any(isinstance(event, OrderExpired) for event in await made.events()):
            await asyncio.sleep(0)


async def test_an_undecodable_input_halts_until_it_is_dropped() -> None:
    """The trader stays at what it cannot read, says where, takes nothing else, and goes on after the drop."""
    async with world() as made:
        await fund(made)
        bad = (await made.log.append(0, [b"no input"])).first
        behind = (await made.log.append(0, [encode(_signal("behind"))])).first
        while not made.standing.is_halted(0):
            await asyncio.sleep(0)
        assert made.standing.halted["trader", 0].offset == bad
        assert made.standing.tapes[0].reached == bad - 1
        drop = Input(
            id=InputId("drop"), actor=ACTOR, command=DropInput(offset=bad, reason="not ours"), hash="d"
        )
        await made.intake.put(drop)
        await made.decided(behind)
        events = await made.events()
        assert not made.standing.is_halted(0)
        assert [event.reason for event in events if isinstance(event, InputDropped)] == ["not ours"]
    async with world(made.log, made.clock) as again:  # a fold reads it the same way
        await again.put("later", price("0.5"))
        assert not again.standing.is_halted(0)


async def test_a_fan_out_decides_for_every_agent_in_one_entry() -> None:
    """One signal to many agents is one entry: all of its events, or none."""
    async with world() as made:
        for number in range(300):
            await made.put(f"agent {number}", CreateAgent(name="one", mode="simulation"))
        offset = await made.put("signal", buy())
        page = await made.log.read_journal(0, -1, 10_000)
        entries = {entry.tape_offset: entry.events for entry in ChainReader().read(page.records)}
        assert sum(isinstance(event, SignalDenied) for event in entries[offset]) == 300


def _signal(name: str) -> Input:
    return Input(id=InputId(name), actor=ACTOR, command=buy(), hash=name)


async def test_a_journal_that_cannot_be_trusted_halts_the_start() -> None:
    """A start that cannot fold what is stored stays, says where, and decides nothing."""
    async with world() as made:
        await fund(made)
        stored = made.log._tapes[0].records
        stored[0] = stored[0]._replace(data=stored[0].data.replace(b"one", b"two"))
    async with world(made.log, made.clock) as again:
        while not again.standing.is_halted(0):
            await asyncio.sleep(0)
        await again.log.append(0, [encode(_signal("behind"))])
        assert "BrokenChain" in again.standing.halted["trader", 0].error
        assert (await again.log.head(0)).reached == 1

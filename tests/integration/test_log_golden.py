"""One tape or four: what the traders decide for an agent does not depend on it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from daemon.domain.commands import (
    Actor,
    AnyCommand,
    ClosePosition,
    CreateAgent,
    Deposit,
    HandleSignal,
    Input,
    ObservePrices,
    Reading,
)
from daemon.domain.events import (
    AgentEvent,
    AnyEvent,
    OrderApproved,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    SignalDenied,
)
from daemon.domain.values import LAMPORTS_PER_SOL, AgentId, InputId, Mint, Owner, PositionId, Price
from daemon.metrics import Metrics
from daemon.records import ChainReader, encode
from streams.intake import Intake
from streams.log.memory import MemoryLog
from streams.stages.trader import Trader
from streams.standing import Standing, TapeStanding, tape_of
from tests.support.examples import AT, MINT, OTHER_MINT, some_id

OWNERS = tuple(Owner(f"owner {number}") for number in range(12))
CONFIGS = (
    None,
    {"stopLoss": {"enabled": True, "percent": "10"}},
    {"sizing": {"mode": "percent", "percent": "25"}, "purchaseLimits": {"maxOpenPositions": 1}},
    {"fillModel": {"slippageBps": 50, "latencyMs": 3_000}},
)


class Traded:
    """A log of some tapes with a trader on each, and a clock that moves by a second with each input."""

    def __init__(self, tapes: int) -> None:
        self.at = AT
        self.log = MemoryLog(lambda: self.at, tapes)
        self.standing = Standing([TapeStanding() for _ in range(tapes)])
        self.intake = Intake(self.log, self.standing, Metrics())
        self.given = 0

    def append_to(self, tape: int) -> Callable[[Input], Awaitable[int]]:
        async def append(item: Input) -> int:
            return (await self.intake.put_on(tape, item)).offset

        return append

    async def give(self, command: AnyCommand, owner: Owner = OWNERS[0]) -> InputId:
        """Put an input where it belongs, and return when all of it is decided."""
        self.at += 1_000
        self.given += 1
        item = Input(
            id=InputId(some_id(f"input {self.given}")),
            actor=Actor(owner=owner, key="key-1"),
            command=command,
            route="POST /api/v1/test",
            hash="0" * 64,
        )
        if isinstance(command, ObservePrices):
            await self.intake.put_everywhere(item)
        else:
            await self.intake.put(item)
        async with asyncio.timeout(10):
            for tape in range(self.log.tapes):
                while (head := await self.log.head(tape)).reached < head.tape:
                    await self.log.wait_journal(tape, head.journal, head.reached, 1)
        return item.id

    async def price(self, price: str, mint: Mint = MINT) -> None:
        reading = Reading(mint=mint, price=Price(price), source="test", decimals=6)
        await self.give(ObservePrices(readings=(reading,)))

    async def events(self) -> Mapping[AgentId, list[AnyEvent]]:
        """What happened to each agent, in order."""
        found: dict[AgentId, list[AnyEvent]] = defaultdict(list)
        for tape in range(self.log.tapes):
            page = await self.log.read_journal(tape, -1, 100_000)
            for entry in ChainReader().read(page.records):
                for event in entry.events:
                    if isinstance(event, AgentEvent):
                        found[event.agent_id].append(event)
        return found


@asynccontextmanager
async def trading(tapes: int) -> AsyncIterator[Traded]:
    traded, stop = Traded(tapes), asyncio.Event()
    traders = [
        Trader(traded.log, tape, traded.standing, Metrics(), traded.append_to(tape)) for tape in range(tapes)
    ]
    running = [asyncio.create_task(trader.run(stop)) for trader in traders]
    try:
        yield traded
    finally:
        stop.set()
        await asyncio.gather(*running)


async def story(tapes: int) -> Mapping[AgentId, list[AnyEvent]]:
    """The same inputs, whatever the number of tapes; what they made of each agent."""
    async with trading(tapes) as traded:
        agents: dict[Owner, AgentId] = {}
        for number, owner in enumerate(OWNERS):
            created = CreateAgent(name=owner, mode="simulation", config=CONFIGS[number % len(CONFIGS)])
            agents[owner] = AgentId(await traded.give(created, owner))
            lamports = (number + 1) * LAMPORTS_PER_SOL
            await traded.give(Deposit(agent_id=agents[owner], lamports=lamports), owner)
        await traded.price("0.0067")
        for mint in (MINT, OTHER_MINT):
            for owner in OWNERS:
                await traded.give(HandleSignal(mint=mint, signal_type="buy", strength=3), owner)
        await traded.price("0.0068")
        await traded.price("12.5", OTHER_MINT)
        opened = [
            (owner, event.position_id)
            for owner in OWNERS
            for event in (await traded.events())[agents[owner]]
            if isinstance(event, PositionOpened)
        ]
        for owner, position in opened[::3]:
            await traded.give(ClosePosition(position_id=PositionId(position)), owner)
        await traded.price("0.0058")
        await traded.price("0.0057")
        await traded.price("0.006")
        return await traded.events()


async def test_one_tape_and_four_give_each_agent_the_same_events() -> None:
    """Where an owner's tape is shared with others, and where it is not, the same is decided, to the byte."""
    assert {tape_of(owner, 4) for owner in OWNERS} == {0, 1, 2, 3}
    one, four = await story(1), await story(4)
    assert len(one) == len(OWNERS)
    happened = {type(event) for events in one.values() for event in events}
    assert {OrderApproved, OrderFilled, PositionOpened, PositionClosed, SignalDenied} <= happened
    assert {agent: list(map(encode, events)) for agent, events in one.items()} == {
        agent: list(map(encode, events)) for agent, events in four.items()
    }

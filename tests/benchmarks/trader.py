"""The trader alone: inputs that decide nothing, signals that each open a position; the projector's rebuild.

Each pass appends what it needs first, then lets a new trader work it off; its fold of what was before is not
in the figure.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import Final

from daemon import clock
from daemon.database import Database
from daemon.domain.commands import Input
from daemon.domain.ids import derive
from daemon.domain.values import Price
from daemon.metrics import Metrics
from ops import collector
from ops.home import Home
from ops.migrations import migrate
from ops.postgres import find_binaries, use_or_start
from projections import rebuild, schema
from streams.log.contract import Log
from streams.log.embedded import EmbeddedLog
from streams.log.memory import MemoryLog
from streams.stages.trader import Trader
from streams.standing import Standing, TapeStanding
from tests.benchmarks import inputs
from tests.benchmarks.figures import Figure, main
from tests.benchmarks.running import folder

AGENTS: Final = 1_000
MINTS: Final = 100
PRICES: Final = 100_000
SIGNALS: Final = 20_000
OWNER: Final = "trader"
CONFIG: Final = {**inputs.SMALL, "market": inputs.STOPPED["market"]}


async def run() -> Sequence[Figure]:
    """On the memory log, then on the embedded one with a reader that has to ask the database."""
    collector.tune()  # as the daemon does
    figures = await _passes(MemoryLog(clock.now_ms), "memory")
    gc.collect()
    async with _postgres() as dsn, _database(dsn) as database:
        log = await EmbeddedLog.open(database)
        try:
            figures += await _passes(log, "embedded")
            async with database.pool.acquire() as connection:
                await schema.prepare(connection)
            result = await rebuild.rebuild(log, database)
        finally:
            await log.close()
    rate = result.events / result.seconds
    note = f"{result.events:,} events in {result.seconds:.1f} s"
    return [*figures, Figure("projector rebuild", rate, "events/s", 50_000, "at least", note)]


async def _passes(log: Log, name: str) -> list[Figure]:
    await _work(log, inputs.agents(AGENTS, OWNER, series=OWNER, config=CONFIG))
    mints = [inputs.mint(number, OWNER) for number in range(MINTS)]
    await _work(log, [inputs.prices(mints, name=OWNER)])
    signals = islice(_signals(), SIGNALS)
    opening = SIGNALS / await _work(log, signals)
    idle = PRICES / await _work(log, _prices(PRICES))
    return [
        Figure(f"trader, {name}: prices that decide nothing", idle, "inputs/s", 100_000, "at least"),
        Figure(f"trader, {name}: signals that open a position", opening, "inputs/s", 10_000, "at least"),
    ]


def _signals() -> Iterable[bytes]:
    for token in range(MINTS):
        for number in range(AGENTS):
            name = f"{OWNER} {token} {number}"
            yield inputs.signal(name, OWNER, inputs.mint(token, OWNER), (inputs.agent(number, OWNER),))


def _prices(count: int) -> Iterable[bytes]:
    mints = [inputs.mint(number, OWNER) for number in range(MINTS)]
    for number in range(count):
        # Up and down within the guard's limits, and above every stop.
        price = Price(f"0.00{67 + number % 7}")
        yield inputs.prices([mints[number % MINTS]], price, name=f"idle {number}")


async def _work(log: Log, some: Iterable[bytes]) -> float:
    """Append, then let a trader decide all of it; the seconds that took."""
    group: list[bytes] = []
    for each in some:
        group.append(each)
        if len(group) == 1_000:
            await log.append(0, group)
            group = []
    if group:
        await log.append(0, group)
    last = (await log.head(0)).tape
    standing, stop = Standing([TapeStanding()]), asyncio.Event()
    trader = Trader(log, 0, standing, Metrics(), _no_append)
    task = asyncio.create_task(trader.run(stop))
    tape = standing.tapes[0]
    while not tape.trading and not task.done():
        await asyncio.sleep(0)
    began = time.perf_counter()
    while tape.reached < last and not task.done():
        await asyncio.sleep(0.002)
    taken = time.perf_counter() - began
    stop.set()
    await asyncio.wait_for(task, 10)
    return taken


async def _no_append(item: Input) -> int:
    raise AssertionError(f"nothing is due: {derive(item.id)}")


@asynccontextmanager
async def _postgres() -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(folder())
        (path / "home").mkdir()
        home = Home.open(path / "home")
        dsn = await stack.enter_async_context(use_or_start(home, find_binaries(None)))
        await migrate(dsn)
        yield dsn


@asynccontextmanager
async def _database(dsn: str) -> AsyncIterator[Database]:
    database = await Database.open(dsn, "tapefold benchmark")
    try:
        yield database
    finally:
        await database.close()


if __name__ == "__main__":
    main(run)

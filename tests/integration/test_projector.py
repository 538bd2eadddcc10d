from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from daemon.database import Database
from daemon.domain.commands import ClosePosition, HandleSignal, TimePassed
from daemon.domain.events import CommandDenied
from daemon.domain.values import SOL, AgentId, Price, SignalId
from daemon.records import UnreadableRecord
from projections.agent_configs import get_config
from projections.agents import get_agent, list_agents
from projections.balances import get_balance, list_balances
from projections.closed_positions import get_historical_swap, list_historical_swaps
from projections.fills import get_transaction, list_transactions
from projections.folding import EntryMissing
from projections.inputs import get_input, list_inputs
from projections.marks import MarkPrice, get_mark, list_marks
from projections.orders import get_order, list_orders
from projections.positions import get_configured_position, get_position, list_open_positions
from projections.progress import Progress, get_progress
from projections.rebuild import check
from projections.schema import prepare
from projections.signal_decisions import list_decisions
from projections.signals import get_signal, list_signals
from projections.writer import ProjectorSuperseded
from streams.log.memory import MemoryLog
from streams.stages.projector import Projector
from tests.support.history import (
    MINT,
    OTHER_MINT,
    OWNER,
    PRICE,
    History,
    create_agent,
    everything,
    fill_of,
    position_of,
    prices,
    sold,
    some_id,
    trade,
)

Halt = tuple[str, int, int, Exception]


class Stage:
    """A running projector, its progress and what it told of halts."""

    def __init__(self, history: History, database: Database) -> None:
        self.progress = Progress()
        self.halts: list[Halt] = []
        self.halted = asyncio.Event()
        self.stop = asyncio.Event()
        self.projector = Projector(history.log, 0, database, self.progress, self._halt)
        self.task = asyncio.create_task(self.projector.run(self.stop))

    async def _halt(self, *halt: object) -> None:
        stage, tape, offset, error = halt
        assert isinstance(stage, str)
        assert isinstance(tape, int)
        assert isinstance(offset, int)
        assert isinstance(error, Exception)
        self.halts.append((stage, tape, offset, error))
        self.halted.set()

    async def end(self) -> None:
        self.stop.set()
        await self.task


@pytest.fixture
def history() -> History:
    times = itertools.count(1_700_000_000_000)
    return History(MemoryLog(lambda: next(times)))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, "tapefold test", connections_max=4)
    async with database.pool.acquire() as connection:
        assert await prepare(connection)
    yield database
    await database.close()


async def project(history: History, database: Database) -> None:
    """Commit and project all there is."""
    await history.commit()
    stage = Stage(history, database)
    await stage.end()
    assert stage.halts == []
    assert stage.progress.projected(0) == history.offset


async def test_everything_can_be_read(history: History, database: Database) -> None:
    """After each kind of event, every read model answers its owner, newest first, and nobody else."""
    await everything(history)
    await project(history, database)
    pool, agent, other = database.pool, some_id("agent"), some_id("other")
    first = some_id("first")

    deleted = await get_agent(pool, OWNER, agent)
    assert deleted is not None
    assert deleted.deleted_at is not None
    assert [row.name for row in await list_agents(pool, OWNER, limit=9)] == ["renamed"]
    assert await get_agent(pool, "another", agent) is None
    config, default = await get_config(pool, OWNER, agent), await get_config(pool, OWNER, agent, 0)
    assert config is not None
    assert default is not None
    assert (config.version, config.resolved(), config.keys()) == (
        1,
        {"sizing": {"amount": "2"}},
        {"sizing": {}},
    )
    assert default.resolved()["sizing"]["amount"] == "1"

    assert await get_signal(pool, OWNER, first) == (await list_signals(pool, OWNER, limit=1, offset=5))[0]
    decisions = await list_decisions(pool, OWNER, some_id("waiting 0"), limit=9)
    assert {str(row.agent_id): (row.outcome, row.rule, row.price_age_ms) for row in decisions} == {
        agent: ("approved", None, 1_000),
        other: ("denied", "paused", 500),
    }
    orders = await list_orders(pool, OWNER, limit=99, agent_id=agent, purpose="entry")
    assert [row.state for row in orders] == ["filled", "canceled", "rejected", "expired", "filled"]
    assert await get_order(pool, OWNER, orders[2].id) == orders[2]
    assert (orders[2].rule, orders[2].limit, orders[2].value) == ("impact", "5", "7")

    transactions = await list_transactions(pool, OWNER, limit=99, agent_id=agent)
    assert [row.kind for row in transactions] == ["SWAP", "SWAP", "SWAP", "DEPOSIT"]
    assert [
        row.side for row in await list_transactions(pool, OWNER, limit=9, kind="SWAP", signal_id=first)
    ] == ["buy"]
    assert await get_transaction(pool, OWNER, transactions[0].id) == transactions[0]
    assert sum(entry.change for entry in transactions[0].entries() if entry.mint == SOL) == -(10**9)

    held = await get_position(pool, OWNER, position_of(SignalId(some_id("held")), AgentId(other)))
    assert held is not None
    assert held.mark == MarkPrice(Price("2"), history.now - 1)
    assert (held.position.quantity, held.position.realized_pnl) == (148_805_000, -20)
    assert [row.marked.position.mint for row in await list_open_positions(pool, OWNER, limit=9)] == [
        OTHER_MINT,
        MINT,
    ]
    configured = await get_configured_position(pool, OWNER, position_of(SignalId(first), AgentId(agent)))
    assert configured is not None
    assert configured.config == '{"sizing":{}}'
    [swap] = await list_historical_swaps(pool, OWNER, limit=9, agent_id=agent, mint=MINT)
    assert swap == await get_historical_swap(pool, OWNER, swap.id)
    assert (swap.entry_price, swap.exit_price, swap.realized_pnl) == (PRICE, Price("0.0134"), 988_000_000)
    balances = await list_balances(pool, OWNER, limit=9, agent_id=other)
    assert {(row.balance.symbol, row.mark) for row in balances} == {("SOL", None), ("USDC", held.mark)}
    assert await get_balance(pool, OWNER, balances[0].balance.id) == balances[0]

    assert [row.mint for row in await list_marks(pool, 0, limit=9)] == sorted([MINT, OTHER_MINT])
    mark = await get_mark(pool, 0, MINT)
    assert mark is not None
    assert (mark.price, mark.decimals) == (Price("0.007"), 6)
    assert [row.tape_offset for row in await list_inputs(pool, first)] == [6]
    repeated = await get_input(pool, 0, history.offset - 6)
    assert repeated is not None
    assert (repeated.outcome, repeated.repeats) == ("repeated", 6)
    assert await get_input(pool, 0, history.offset) is None


async def test_each_commit_becomes_readable(history: History, database: Database) -> None:
    """Whoever waits for an offset reads its rows then; patches of rows stored earlier reach them."""
    stage = Stage(history, database)
    agent = await create_agent(history)
    signal = await trade(history, agent, "signal")
    await history.commit()
    assert await stage.progress.wait(0, history.offset, 30)
    [open_position] = await list_open_positions(database.pool, OWNER, limit=9)
    position = position_of(signal, agent)
    await history.add(
        ClosePosition(position_id=position), sold(agent, position, fill_of(signal, agent), history.now + 1)
    )
    await history.commit()
    assert await stage.progress.wait(0, history.offset, 30)
    assert await list_open_positions(database.pool, OWNER, limit=9) == []
    closed = await get_position(database.pool, OWNER, open_position.marked.position.id)
    assert closed is not None
    assert (closed.position.quantity, closed.position.closed_at) == (0, history.now)
    await stage.end()


async def test_a_restart_goes_on_where_it_ended(history: History, database: Database) -> None:
    """However often it is restarted, a projector ends with the rows of one fold from the start."""
    parts = History(history.log)

    class Restarting(History):
        async def add_bytes(self, data: bytes, events: object = ()) -> None:
            await parts.add_bytes(data, events)  # type: ignore[arg-type]
            self.offset, self.now = parts.offset, parts.now
            await project(parts, database)

    await everything(Restarting(history.log))
    assert await check(history.log, database) == []


async def test_prices_alone_are_projected(history: History, database: Database) -> None:
    """Prices that decided nothing move marks and progress, also across a restart."""
    await history.add(prices((MINT, "0.0067", None)), None)
    await project(history, database)
    await history.add(prices((MINT, "9", None)), None)
    await project(history, database)
    await history.add(prices((MINT, "9.1", None)), None)
    await project(history, database)
    # The second jumped and waited, the third confirmed it: the guard's memory came back from the table.
    mark = await get_mark(database.pool, 0, MINT)
    assert mark is not None
    assert mark.price == Price("9.1")
    progress = await get_progress(database.pool, 0)
    assert progress is not None
    assert (progress.tape_offset, progress.journal_offset, progress.now) == (2, -1, history.now)


@pytest.mark.parametrize("trades", [1, 200], ids=["statement", "copy"])
async def test_an_earlier_projector_ends(history: History, database: Database, trades: int) -> None:
    """A projector that finds another has taken its tape over writes nothing and ends with an exception."""
    first = Stage(history, database)
    agent = await create_agent(history)
    await history.commit()
    assert await first.progress.wait(0, history.offset, 30)
    await database.pool.execute("UPDATE read.progress SET generation = generation + 1")
    for number in range(trades):
        await trade(history, agent, f"signal {number}")
    await history.commit()
    with pytest.raises(ProjectorSuperseded):
        await first.task
    assert await list_signals(database.pool, OWNER, limit=9) == []
    await project(history, database)
    assert len(await list_signals(database.pool, OWNER, limit=999)) == trades


async def test_a_halt_stays_and_keeps_what_is_sound(history: History, database: Database) -> None:
    """What cannot be folded halts the projector there, once; what lies before it is projected."""
    await create_agent(history)
    await history.add(HandleSignal(mint=MINT, signal_type="buy", strength=1), None)
    await history.add(TimePassed())
    await history.commit()
    stage = Stage(history, database)
    await stage.halted.wait()
    [(name, tape, offset, error)] = stage.halts
    assert (name, tape, offset) == ("projector", 0, 2)
    assert isinstance(error, EntryMissing)
    assert stage.progress.projected(0) == 1
    assert len(await list_agents(database.pool, OWNER, limit=9)) == 1
    assert not stage.task.done()
    await stage.end()
    assert len(stage.halts) == 1


async def test_an_unreadable_first_input_halts(history: History, database: Database) -> None:
    """Bytes that are no input halt the projector also where nothing lies before them."""
    await history.add_bytes(b"{]", [CommandDenied(code="X", rule="y")])
    await history.commit()
    stage = Stage(history, database)
    await stage.halted.wait()
    assert [(halt[2], type(halt[3])) for halt in stage.halts] == [(0, UnreadableRecord)]
    await stage.end()


async def test_a_lost_connection_is_made_again(history: History, database: Database) -> None:
    """When its connection is cut, the projector goes on with a new one, and no row is missing or doubled."""
    stage = Stage(history, database)
    agent = await create_agent(history)
    for number in range(5):
        await history.commit()
        assert await stage.progress.wait(0, history.offset, 30)
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tapefold projector 0' AND datname = current_database()"
        )
        await trade(history, agent, f"signal {number}")
    await history.commit()
    assert await stage.progress.wait(0, history.offset, 30)
    await stage.end()
    assert stage.halts == []
    assert await check(history.log, database) == []


async def test_no_text_stops_the_projector(history: History, database: Database) -> None:
    """Text that Postgres cannot hold, or that looks like syntax, is stored as nearly as it can be."""
    for text in ("a\0b", "\\u0000", "\\N", "'\";--", "\x01N", "tab\tline\n", "🚀"):
        await history.add(TimePassed(), [CommandDenied(code="X", rule=text)])
    await project(history, database)
    rules = [(await get_input(database.pool, 0, number)) for number in range(7)]
    assert [row.rule for row in rules if row is not None] == [
        "a\N{REPLACEMENT CHARACTER}b", "\\u0000", "\\N", "'\";--", "\x01N", "tab\tline\n", "🚀",
    ]  # fmt: skip

from __future__ import annotations

import itertools
from typing import Any, TypeVar

import pytest

from daemon.domain.commands import DeleteAgent, HandleSignal
from daemon.domain.events import Event, InputRepeated, MintRegistered
from daemon.domain.values import AgentId, Mint, Price, use_context
from daemon.records import UnreadableRecord, decode_part
from projections.agents import AGENTS
from projections.balances import BALANCES
from projections.batch import Batch
from projections.folding import PROJECTIONS, EntryMissing, Folder, Projection, State
from projections.inputs import INPUTS
from projections.marks import MARKS, MarkRow, prices_of, row_of
from projections.merging import FoldFailed, Merge, fold
from projections.model import Cause, Model, Row
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.progress import START
from streams.log.memory import MemoryLog
from tests.support.history import (
    MINT,
    OTHER_MINT,
    History,
    create_agent,
    everything,
    position_of,
    prices,
    some_id,
    trade,
)

R = TypeVar("R", bound=Row)


@pytest.fixture
def history() -> History:
    times = itertools.count(1_700_000_000_000)
    return History(MemoryLog(lambda: next(times)))


async def folded(history: History, state: State | None = None) -> Batch:
    use_context()
    await history.commit()
    merge, folder = Merge(history.log, 0, START), Folder(0, state or State())
    while records := await merge.read(1_000):
        await fold(merge, folder, records)
    return folder.take()


def rows(batch: Batch, model: Model[R]) -> list[R]:
    return [row for row in batch.rows[model].values() if isinstance(row, model.row)]


async def test_a_trade_becomes_rows(history: History) -> None:
    """A signal with its order, fill and position gives each read model its row, and none is left to patch."""
    agent = await create_agent(history)
    signal = await trade(history, agent, "signal")
    batch = await folded(history)
    [order] = rows(batch, ORDERS)
    [position] = rows(batch, POSITIONS)
    assert list(batch.updates()) == []
    assert (order.state, order.signal_id, order.position_id) == ("filled", signal, position.id)
    assert (order.tape_offset, order.ended_offset, order.ended_at) == (2, 2, 1_700_000_000_002)
    assert position.id == position_of(signal, agent)
    assert [input_row.outcome for input_row in rows(batch, INPUTS)] == ["accepted"] * 3
    assert {balance.mint: balance.balance for balance in rows(batch, BALANCES)} == {
        "So11111111111111111111111111111111111111112": 10**12 - 10**9,
        MINT: 148_805_970,
    }


async def test_inputs_say_how_they_ended(history: History) -> None:
    """Denied, repeated and dropped inputs say so, with code and reason; a dropped one may be unreadable."""
    await everything(history)
    batch = await folded(history)
    ended = {row.outcome: row for row in rows(batch, INPUTS)}
    assert ended["denied"].code == "NOT_FOUND"
    assert (ended["repeated"].repeats, ended["repeated"].same_body) == (6, False)
    assert (ended["dropped"].value, ended["dropped"].input_id) == ("cannot be read", None)
    assert len(rows(batch, INPUTS)) == history.offset + 1 - 2


async def test_a_release_frees_exactly_the_agents_positions(history: History) -> None:
    """Positions whose exits were quarantined are free again once their agent is released."""
    await everything(history)
    state = State()
    batch = await folded(history, state)
    assert state.stuck == {}
    assert [row.exits_quarantined for row in rows(batch, POSITIONS)] == [False, False, False]
    assert [row.quarantined for row in rows(batch, AGENTS)] == [False, False]


async def test_prices_without_an_entry_move_marks(history: History) -> None:
    """Prices that decided nothing move the mark as well; the last write of a mint wins, the guard is kept."""
    await history.add(prices((MINT, "0.0067", None)), None)
    await history.add(prices((MINT, "0.0068", None), (OTHER_MINT, "2", None)), None)
    await history.add(prices((MINT, "9", None)), None)
    batch = await folded(history)
    first, other = rows(batch, MARKS)
    assert (first.mint, first.price, first.at) == (MINT, Price("0.0068"), 1_700_000_000_001)
    assert first.guard is not None
    assert (other.mint, other.price, other.guard) == (OTHER_MINT, Price("2"), None)
    assert rows(batch, INPUTS) == []


async def test_a_mark_survives_its_row(history: History) -> None:
    """All that the guard knows of a mint comes back from the row, so that a restart decides the same."""
    for price in ("0.0067", "9"):
        await history.add(prices((MINT, price, None)), None)
    state = State()
    await folded(history, state)
    known = state.prices[MINT]
    assert known.candidate is not None
    assert prices_of(row_of(0, MINT, known, 6)) == known
    assert prices_of(MarkRow(tape=0, mint=MINT, guard='{"said":[["tests","jump"]]}')).said == (
        ("tests", "jump"),
    )


async def test_a_copy_moves_no_mark(history: History) -> None:
    """Prices that stand on the tape already have no further effect."""
    await history.add(prices((MINT, "0.0067", None)), None)
    copy = InputRepeated(input_id=some_id("input 0"), first_offset=0, same_body=True)
    await history.add(prices((MINT, "0.0068", None)), [copy])
    [mark] = rows(await folded(history), MARKS)
    assert mark.price == Price("0.0067")


async def test_decimals_count_from_the_reading_that_stated_them(history: History) -> None:
    """A reading before the one that registered its mint is not measured against those decimals."""
    registered = MintRegistered(mint=MINT, decimals=6, source="tests")
    await history.add(
        prices((MINT, "1", None), (MINT, "9", 7), (MINT, "1.1", 6), (MINT, "1.2", 7)), [registered]
    )
    [mark] = rows(await folded(history), MARKS)
    # The guard kept the jump with its 7 decimals from counting; the last was refused for its own.
    assert (mark.price, mark.decimals) == (Price("1.1"), 6)
    assert mark.guard is not None
    assert '["tests","decimals"]' in mark.guard


async def test_decimals_fixed_by_an_order_are_kept(history: History) -> None:
    """A mint that an order registered has its decimals before any price came."""
    await history.add(
        HandleSignal(mint=MINT, signal_type="buy", strength=1),
        [MintRegistered(mint=MINT, decimals=9, source="default")],
    )
    assert rows(await folded(history), MARKS) == [MarkRow(tape=0, mint=MINT, decimals=9)]


async def test_a_command_without_an_entry_stops_the_fold(history: History) -> None:
    """Every input but prices gets an entry: a journal that passed one without is not to be trusted."""
    await history.add(DeleteAgent(agent_id=AgentId(some_id("agent"))), None)
    with pytest.raises(FoldFailed) as failed:
        await folded(history)
    assert isinstance(failed.value.__cause__, EntryMissing)
    assert failed.value.offset == 0


async def test_unreadable_bytes_stop_the_fold(history: History) -> None:
    """Bytes that are no input stop the fold, unless an operator dropped them."""
    await history.add(prices((Mint("a"), "1", None)), None)
    await history.add_bytes(b"{]", None)
    with pytest.raises(FoldFailed) as failed:
        await folded(history)
    assert isinstance(failed.value.__cause__, UnreadableRecord)
    assert failed.value.offset == 1


async def test_a_row_repeats_its_event(history: History) -> None:
    """What a row and its event both name is the same in both, although rows are made by position."""
    state = State()
    await everything(history)
    await folded(history, state)
    cause = Cause(3, state.agents, {})
    cause.tape_offset, cause.at = 7, 1_800_000_000_000
    compared = 0
    for record in (await history.log.read_journal(0, -1, 1_000)).records:
        for event in decode_part(record).events:
            for projection in PROJECTIONS:
                for row in put_by(projection, event, cause):
                    assert (row.tape, row.tape_offset) == (3, 7)
                    for name in named_by_both(projection, row, event):
                        assert getattr(row, name) == getattr(event, name), (row, name)
                        compared += 1
    assert compared > 200


def named_by_both(projection: Projection, row: Row, event: Event) -> set[str]:
    if projection.model is BALANCES:  # made of the event's ledger
        return {"agent_id"}
    as_json = {"agent_ids", "ledger", "config", "given"}
    return set(row.__struct_fields__) & set(event.__struct_fields__) - as_json


def put_by(projection: Projection, event: Event, cause: Cause) -> list[Any]:
    batch = Batch()
    apply = projection.folds.get(type(event))
    if apply is not None:
        apply(event, cause, batch)
    return list(batch.rows[projection.model].values())

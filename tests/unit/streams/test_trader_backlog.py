"""The trader in a backlog: batches decided while another is being committed, and turns for others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from daemon.domain.commands import CreateAgent, Deposit, Input
from daemon.domain.events import InputRepeated, OrderFilled
from daemon.domain.tape import Tape
from daemon.domain.values import AgentId, InputId, use_context
from daemon.records import GENESIS, ChainReader, Sealed, encode
from streams.log.contract import Claim, OutcomeUnknown
from streams.log.memory import MemoryLog
from streams.stages import deciding, pages, trader
from streams.stages.batch import Batch
from streams.stages.breath import Breath
from streams.stages.start import fold_log
from tests.support.world import run
from tests.unit.streams.test_trader import ACTOR, AGENT, Clock, TroubledLog, World, buy, price, world


class SlowLog(TroubledLog):
    """A log whose commits take some turns of the loop; notes what is under way and what the trader did."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.under_way = 0
        self.at_once: list[int] = []
        self.doubts: list[bool] = []
        """For the next commits: whether nobody learns what became of them (they are stored)."""

    async def commit(self, claim: Claim, journal: int, reached: int, entries: Sequence[Sealed]) -> int:
        self.under_way += 1
        self.at_once.append(self.under_way)
        try:
            for _ in range(50):
                await asyncio.sleep(0)
            last = await super().commit(claim, journal, reached, entries)
        finally:
            self.under_way -= 1
        if self.doubts and self.doubts.pop(0):
            raise OutcomeUnknown("no answer")
        return last


def numbered(count: int, prefix: str = "signal") -> list[bytes]:
    names = [f"{prefix} {number}" for number in range(count)]
    return [encode(Input(id=InputId(name), actor=ACTOR, command=buy(), hash=name)) for name in names]


async def start(made: World) -> None:
    await made.put(AGENT, CreateAgent(name="one", mode="simulation"))
    await made.put("deposit", Deposit(agent_id=AGENT, lamports=10_000_000_000_000))
    await made.put("price", price("0.5"))


@pytest.mark.parametrize("doubts", [[], [True], [False, True], [True, True]])
async def test_a_backlog_is_decided_once_whatever_becomes_of_its_commits(
    doubts: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches decided ahead of a commit in doubt are taken back; each input is decided exactly once."""
    monkeypatch.setattr(trader, "BATCH_SECONDS", 0.0)
    monkeypatch.setattr(pages, "PAGE", 40)
    clock = Clock()
    log = SlowLog(clock)
    async with world(log, clock) as made:
        await start(made)
        log.doubts = list(doubts)
        log.at_once.clear()
        await log.append(0, numbered(300))
        await log.append(0, numbered(10))
        made.standing.tapes[0].grow((await log.head(0)).tape)
        await made.decided(312)
        events = await made.events()
    assert set(log.at_once) == {1}
    assert len(log.at_once) > 1
    filled = [event.signal_id for event in events if isinstance(event, OrderFilled)]
    assert filled == [f"signal {number}" for number in range(300)]
    assert sum(isinstance(event, InputRepeated) for event in events) == 10
    folded = await fold_log(log, 0, len(log._tapes[0].records) - 1, 312)
    assert folded.tape.agents == made.trader._tape.agents
    assert made.trader._tape.undo.savepoint() == 0


async def test_the_next_batch_is_decided_while_one_is_being_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a backlog the trader does not stand idle while the log stores."""
    monkeypatch.setattr(trader, "BATCH_SECONDS", 0.0)
    seen: list[int] = []
    clock = Clock()
    log = SlowLog(clock)

    async def noting(*arguments: object) -> None:
        seen.append(log.under_way)
        await decide(*arguments)  # type: ignore[arg-type]

    decide = deciding.decide
    async with world(log, clock) as made:
        await start(made)
        monkeypatch.setattr(trader, "decide", noting)
        await log.append(0, numbered(300))
        made.standing.tapes[0].grow((await log.head(0)).tape)
        await made.decided(302)
    assert 1 in seen


class Always(Breath):
    """A breath that is due whenever it is asked for; counts what was given up."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def is_due(self) -> bool:
        return True

    async def take(self) -> None:
        self.taken += 1
        await super().take()


async def test_others_have_their_turn_between_the_parts_of_a_large_entry() -> None:
    """Deciding, encoding, sealing, reading back and folding a fan-out leave the loop to others in between."""
    use_context()
    tape, count, offset = Tape(), 3_000, 0
    log = MemoryLog(Clock())
    inputs = [
        encode(Input(id=InputId(f"{n:04}"), actor=ACTOR, command=CreateAgent(name="a", mode="simulation")))
        for n in range(count)
    ]
    inputs.append(encode(Input(id=InputId("s"), actor=ACTOR, command=buy())))
    await log.append(0, inputs)
    batch, breath = Batch(-1, GENESIS), Always()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for record in await log.read_tape(0, -1, count + 1):
        before = breath.taken
        await deciding.decide(tape, record, batch, breath)
        offset = record.offset
    parts = len(batch.entries[-1].parts)
    assert parts > 1
    # Once an agent, once each hundred events, and at least once a part.
    assert breath.taken - before >= count + count // deciding.ENCODE_AT_ONCE + parts
    assert turns >= breath.taken
    claim = await log.claim(0, "test")
    last = await log.commit(claim, -1, offset, batch.entries)
    turns = 0
    folded = await fold_log(log, 0, last, offset)
    assert folded.hash == batch.hash
    assert folded.tape.agents.keys() == {AgentId(f"{n:04}") for n in range(count)}
    task.cancel()


async def test_pages_read_ahead_and_give_out_each_input_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads page by page gets every input in order, also those appended meanwhile."""
    monkeypatch.setattr(pages, "PAGE", 10)
    log = MemoryLog(Clock())
    await log.append(0, [b"%d" % number for number in range(25)])
    reader, got = pages.Pages(log, 0), list[int]()
    while records := await reader.read(got[-1] if got else -1):
        got += [record.offset for record in records]
        if len(got) == 20:
            await asyncio.sleep(0)  # the last page is read ahead while it holds five
            await log.append(0, [b"late"])
    assert got == list(range(26))
    assert [record.offset for record in await reader.read(4)] == list(range(5, 15))
    reader.close()


async def test_a_large_entry_is_read_back_as_it_was_decided() -> None:
    """What was sealed in steps is joined again by the chain, event by event."""
    use_context()
    tape, batch, breath = Tape(), Batch(-1, GENESIS), Always()
    log = MemoryLog(Clock())
    await log.append(0, numbered(1))
    (record,) = await log.read_tape(0, -1, 1)
    events = (run(tape, record) or []) * 3_000
    await deciding.add_entry(batch, 0, record.at, events, breath)
    await log.commit(await log.claim(0, "test"), -1, 0, batch.entries)
    page = await log.read_journal(0, -1, 10)
    (entry,) = ChainReader().read(page.records)
    assert list(entry.events) == events

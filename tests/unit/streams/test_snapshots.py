"""Snapshots save time and decide nothing: on the memory log, in every way in which they can be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import msgspec
import pytest

from daemon.domain.commands import Input
from daemon.domain.freezing import copy, freezing
from daemon.domain.tape import Tape
from daemon.metrics import Metrics
from daemon.records import TapeRecord
from streams.log.memory import MemoryLog
from streams.snapshots.contract import KEEP, Checksum, Facts, SnapshotsFailed, version, version_of
from streams.snapshots.memory import MemorySnapshots
from streams.snapshots.writing import write
from streams.stages.snapshotting import Pace, Snapshotter
from streams.stages.start import Folded, fold_log
from streams.stages.trader import Trader
from streams.standing import Standing, TapeStanding
from tests.benchmarks import inputs
from tests.support.world import knowledge

OWNER = "holder"
MINTS = [inputs.mint(number) for number in range(2)]
AGENTS = 3
START = 1_700_000_000_000


class WatchedLog(MemoryLog):
    """Knows which inputs were read."""

    def __init__(self) -> None:
        times = count(START, 10)
        super().__init__(lambda: next(times))
        self.read: list[int] = []

    async def read_tape(self, tape: int, after: int, limit: int) -> Sequence[TapeRecord]:
        found = await super().read_tape(tape, after, limit)
        self.read += [each.offset for each in found]
        return found


class FailingSnapshots(MemorySnapshots):
    """Cannot store anything."""

    async def put(self, snapshot: int, number: int, data: bytes) -> None:
        raise SnapshotsFailed("disk full")


@asynccontextmanager
async def trading(
    log: MemoryLog, store: MemorySnapshots, pace: Pace, metrics: Metrics | None = None
) -> AsyncIterator[TapeStanding]:
    """A trader on this log."""
    standing, stop, metrics = Standing([TapeStanding()]), asyncio.Event(), metrics or Metrics()

    async def append(item: Input) -> int:
        raise AssertionError(f"nothing is due: {item}")

    trader = Trader(log, 0, standing, metrics, append, Snapshotter(0, metrics, store, pace))
    running = asyncio.create_task(trader.run(stop))
    try:
        while not standing.tapes[0].trading:
            assert not running.done(), running
            await asyncio.sleep(0)
        yield standing.tapes[0]
    finally:
        stop.set()
        await running


async def until(ready: Callable[[], bool]) -> None:
    """Let others run until something holds."""
    async with asyncio.timeout(20):
        while not ready():
            await asyncio.sleep(0)


async def put(log: MemoryLog, place: TapeStanding, some: Iterable[bytes]) -> None:
    """Append and wait until all is decided."""
    data = list(some)
    last = (await log.append(0, data)).first + len(data) - 1
    place.grow(last)
    await until(lambda: place.reached >= last)


def beginning() -> Iterable[bytes]:
    yield from inputs.agents(AGENTS, OWNER, config=inputs.STOPPED)
    yield inputs.prices(MINTS)


def signals(name: str, number: int = 5) -> list[bytes]:
    return [inputs.signal(f"{name} {each}", OWNER, MINTS[each % 2]) for each in range(number)]


async def history(store: MemorySnapshots) -> WatchedLog:
    """A log with two snapshots at different offsets, and a tail behind them."""
    log = WatchedLog()
    async with trading(log, store, Pace()) as place:
        for some in (beginning(), signals("first"), signals("second")):
            await put(log, place, some)
            head = await log.head(0)
            folded = await fold_log(log, 0, head.journal, head.reached)
            await write(store, 0, copy(folded.tape), folded.end)
        await put(log, place, signals("tail"))
    return log


async def fold(log: MemoryLog, store: MemorySnapshots | None) -> Folded:
    head = await log.head(0)
    return await fold_log(log, 0, head.journal, head.reached, store)


async def test_a_start_folds_only_what_follows_the_snapshot() -> None:
    """From the newest snapshot on only the tail is read, and the state is that of a full fold."""
    store = MemorySnapshots()
    log = await history(store)
    newest = (await store.newest(0))[0]
    log.read.clear()
    folded = await fold(log, store)
    assert folded.snapshot == newest
    assert log.read == list(range(newest.facts.reached + 1, folded.reached + 1))
    full = await fold(log, None)
    assert knowledge(folded.tape) == knowledge(full.tape)
    assert folded.end == full.end


async def test_only_the_newest_are_kept() -> None:
    """Of one tape two snapshots stay, whole ones, the newest first."""
    store = MemorySnapshots()
    await history(store)
    found = await store.newest(0)
    assert [each.id for each in found] == [3, 2]
    assert len(found) == KEEP == len(store.chunks)


def sealed(store: MemorySnapshots, snapshot: int, facts: Facts) -> None:
    """Give a snapshot facts and the checksum that fits them and its chunks."""
    checksum = Checksum()
    for each in store.chunks[snapshot]:
        checksum.add(each)
    facts = msgspec.structs.replace(facts, chunks=len(store.chunks[snapshot]))
    whole = msgspec.structs.replace(facts, checksum=checksum.of(facts))
    store.whole[snapshot] = store.whole[snapshot]._replace(facts=whole)


def missing(store: MemorySnapshots, snapshot: int) -> None:
    del store.whole[snapshot], store.chunks[snapshot]


def cut(store: MemorySnapshots, snapshot: int) -> None:
    store.chunks[snapshot][-1] = store.chunks[snapshot][-1][:-1]


def lost_chunk(store: MemorySnapshots, snapshot: int) -> None:
    store.chunks[snapshot].pop()


def flipped_bit(store: MemorySnapshots, snapshot: int) -> None:
    first = bytearray(store.chunks[snapshot][0])
    first[len(first) // 2] ^= 1
    store.chunks[snapshot][0] = bytes(first)


def changed_fact(store: MemorySnapshots, snapshot: int) -> None:
    whole = store.whole[snapshot]
    facts = msgspec.structs.replace(whole.facts, reached=whole.facts.reached - 1)
    store.whole[snapshot] = whole._replace(facts=facts)


def other_version(store: MemorySnapshots, snapshot: int) -> None:
    sealed(store, snapshot, msgspec.structs.replace(store.whole[snapshot].facts, version="0" * 64))


def other_hash(store: MemorySnapshots, snapshot: int) -> None:
    sealed(store, snapshot, msgspec.structs.replace(store.whole[snapshot].facts, hash="0" * 64))


def other_record(store: MemorySnapshots, snapshot: int) -> None:
    facts = store.whole[snapshot].facts
    sealed(store, snapshot, msgspec.structs.replace(facts, journal=facts.journal - 1))


def beyond_the_journal(store: MemorySnapshots, snapshot: int) -> None:
    sealed(store, snapshot, msgspec.structs.replace(store.whole[snapshot].facts, journal=1_000_000))


def beyond_the_tape(store: MemorySnapshots, snapshot: int) -> None:
    sealed(store, snapshot, msgspec.structs.replace(store.whole[snapshot].facts, reached=1_000_000))


def below_everything(store: MemorySnapshots, snapshot: int) -> None:
    sealed(store, snapshot, msgspec.structs.replace(store.whole[snapshot].facts, journal=-2))


def garbage(store: MemorySnapshots, snapshot: int) -> None:
    store.chunks[snapshot] = [b"\x00\xff garbage\n"]
    sealed(store, snapshot, store.whole[snapshot].facts)


def wrong_number(store: MemorySnapshots, snapshot: int) -> None:
    store.chunks[snapshot].append(b'{"of":"balances","rows":[[99,"x",1]]}\n')
    sealed(store, snapshot, store.whole[snapshot].facts)


def empty_state(store: MemorySnapshots, snapshot: int) -> None:
    store.chunks[snapshot] = [b"\n".join((*freezing(copy(Tape()), -1), b""))]
    sealed(store, snapshot, store.whole[snapshot].facts)


DAMAGES = [
    missing, cut, lost_chunk, flipped_bit, changed_fact, other_version, other_hash, other_record,
    beyond_the_journal, beyond_the_tape, below_everything, garbage, wrong_number, empty_state,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_snapshot_costs_time_alone(
    damage: Callable[[MemorySnapshots, int], None],
) -> None:
    """With the newest damaged the one before it is taken, with both all is folded; the state is the same."""
    store = MemorySnapshots()
    log = await history(store)
    full = await fold(log, None)
    newest, older = await store.newest(0)
    damage(store, newest.id)
    folded = await fold(log, store)
    assert folded.snapshot is not None
    assert folded.snapshot.id == older.id
    assert knowledge(folded.tape) == knowledge(full.tape)
    damage(store, older.id)
    folded = await fold(log, store)
    assert folded.snapshot is None
    assert (knowledge(folded.tape), folded.end) == (knowledge(full.tape), full.end)


async def test_a_trader_decides_the_same_after_any_start() -> None:
    """Traders that began from a snapshot and in full write the same journal, byte for byte."""
    journals = []
    for with_snapshots in (True, False):
        store = MemorySnapshots()
        log = await history(store)
        if not with_snapshots:
            store = MemorySnapshots()
        async with trading(log, store, Pace()) as place:
            await put(log, place, [*signals("first", 2), *signals("more"), inputs.prices(MINTS, name="x")])
        page = await log.read_journal(0, -1, 10_000)
        journals.append([record.data for record in page.records])
    assert journals[0] == journals[1]


async def test_many_inputs_make_a_snapshot() -> None:
    """In the midst of a backlog, and again after as many."""
    store, log = MemorySnapshots(), WatchedLog()
    async with trading(log, store, Pace(inputs=10)) as place:
        await put(log, place, [*beginning(), *signals("some", 30)])
        await until(lambda: bool(store.whole))
        (first,) = await store.newest(0)
        assert 9 <= first.facts.reached <= place.reached
    full = await fold(log, None)
    folded = await fold(log, store)
    assert folded.snapshot == first
    assert knowledge(folded.tape) == knowledge(full.tape)


async def test_time_makes_a_snapshot_if_anything_changed() -> None:
    """What is decided is written down although nothing follows it; nothing new, no snapshot."""
    store, log = MemorySnapshots(), WatchedLog()
    async with trading(log, store, Pace(seconds=0.01)) as place:
        await put(log, place, beginning())
        await until(lambda: any(each.facts.reached == place.reached for each in store.whole.values()))
    made = len(store.whole)
    async with trading(log, store, Pace(seconds=0.000_001)):
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(store.whole) == made


async def test_a_pace_of_zero_is_off() -> None:
    """Without a pace nothing is written, however much is decided."""
    store, log = MemorySnapshots(), WatchedLog()
    async with trading(log, store, Pace()) as place:
        await put(log, place, [*beginning(), *signals("some", 50)])
        await put(log, place, signals("more", 50))
    assert not store.chunks


async def test_a_snapshot_that_fails_is_counted_and_harms_nobody() -> None:
    """The trader goes on, the failure shows in the metrics, and nothing is listed."""
    store, log, metrics = FailingSnapshots(), WatchedLog(), Metrics()
    async with trading(log, store, Pace(inputs=5), metrics) as place:
        await put(log, place, [*beginning(), *signals("some")])
        await until(lambda: b"tapefold_snapshot_failures_total 1.0" in metrics.render())
        await put(log, place, signals("more"))
    assert not await store.newest(0)


async def test_metrics_show_the_newest_snapshot_while_the_tape_is_traded() -> None:
    """Offset, size, time and age are shown by tape, also of one that a start began from, and go with it."""
    store, metrics = MemorySnapshots(), Metrics()
    log = await history(store)
    newest = (await store.newest(0))[0]
    async with trading(log, store, Pace(), metrics):
        shown = metrics.render().decode()
        assert f'tapefold_snapshot_offset{{tape="0"}} {float(newest.facts.reached)}' in shown
        assert f'tapefold_snapshot_bytes{{tape="0"}} {float(newest.facts.bytes)}' in shown
        assert 'tapefold_snapshot_age_seconds{tape="0"}' in shown
        assert 'tapefold_snapshot_seconds{tape="0"}' in shown
    assert 'snapshot_offset{tape="0"}' not in metrics.render().decode()


def test_the_version_is_that_of_the_sources(tmp_path: Path) -> None:
    """A changed byte or name is another version; where there are no sources no two are the same."""
    one = tmp_path / "one.py"
    one.write_bytes(b"a = 1\n")
    before = version_of(tmp_path, [one])
    assert before == version_of(tmp_path, [one])
    one.write_bytes(b"a = 2\n")
    changed = version_of(tmp_path, [one])
    renamed = version_of(tmp_path, [one.rename(tmp_path / "two.py")])
    assert len({before, changed, renamed}) == 3
    assert version_of(tmp_path, []) != version_of(tmp_path, [])
    assert version() == version() != before

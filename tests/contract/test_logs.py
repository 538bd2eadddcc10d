"""What every log engine must do, asked of each. Kills are in `test_logs_killed.py`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.log.contract import Claim, Fenced, Head, JournalPage, Log
from tests.support.logs import TAPES, Engine, entry, inputs


async def drain(log: Log, tape: int = 0, limit: int = 1000) -> list[JournalPage]:
    """All pages of a journal, up to the complete one."""
    pages = []
    after = -1
    while True:
        page = await log.read_journal(tape, after, limit)
        pages.append(page)
        if page.complete:
            return pages
        after = page.records[-1].offset


async def test_offsets_begin_at_zero_without_a_gap(log: Log) -> None:
    """The first input of a tape has offset 0 and each further one the next, over all appends."""
    assert (await log.append(0, inputs("a", "b"))).first == 0
    assert (await log.append(0, inputs("c"))).first == 2
    assert [(record.offset, record.data) for record in await log.read_tape(0, -1, 10)] == [
        (0, b"a"),
        (1, b"b"),
        (2, b"c"),
    ]


async def test_inputs_of_one_append_have_one_time(log: Log) -> None:
    """All inputs of one append carry the time that it returned."""
    appended = await log.append(0, inputs("a", "b", "c"))
    assert {record.at for record in await log.read_tape(0, -1, 10)} == {appended.at}


async def test_bytes_come_back_as_they_were(engine: Engine) -> None:
    """Stored bytes are never re-encoded: order of keys, spaces, escapes and foreign letters stay."""
    log, other = await engine.open(), await engine.open()
    data = '{"b": 1.50,  "a":"\\u0000 \\n é 𝄞 \\\\"}'.encode()
    await log.append(0, [data])
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 0, [entry(0, text=data.decode())])
    for reader in (log, other):
        assert (await reader.read_tape(0, -1, 1))[0].data == data
        assert (await reader.read_journal(0, -1, 1)).records[0].data == b"0.0 " + data


async def test_nothing_cannot_be_appended(log: Log) -> None:
    """An append without inputs has no first offset and is refused."""
    with pytest.raises(ValueError, match="nothing"):
        await log.append(0, [])


async def test_concurrent_appends_get_whole_runs(engine: Engine) -> None:
    """Appends at once, from several logs, get runs without overlap or gap, with times in order."""
    logs = [await engine.open() for _ in range(3)]

    async def many(number: int) -> list[tuple[int, list[bytes]]]:
        stored = []
        for turn in range(15):
            batch = inputs(*(f"{number}.{turn}.{each}" for each in range(1 + turn % 4)))
            stored.append(((await logs[number % 3].append(0, batch)).first, list(batch)))
        return stored

    expected: dict[int, bytes] = {}
    for runs in await asyncio.gather(*(many(number) for number in range(6))):
        for first, batch in runs:
            expected |= dict(enumerate(batch, first))
    for log in logs:
        records = await log.read_tape(0, -1, 1000)
        # A page from memory may end where this process has stored last: the rest is asked for.
        while records[-1].offset + 1 < len(expected):
            records = [*records, *await log.read_tape(0, records[-1].offset, 1000)]
        assert [record.offset for record in records] == list(range(len(expected)))
        assert {record.offset: record.data for record in records} == expected
        assert [record.at for record in records] == sorted(record.at for record in records)


async def test_tapes_are_apart(log: Log) -> None:
    """What is appended and committed on one tape is on no other."""
    assert log.tapes == TAPES
    await log.append(0, inputs("a"))
    await log.append(1, inputs("b"))
    claim = await log.claim(1, "test")
    await log.commit(claim, -1, 0, [entry(0)])
    assert [record.data for record in await log.read_tape(1, -1, 10)] == [b"b"]
    assert await log.head(0) == Head(0, -1, -1, 0)
    assert await log.head(1) == Head(0, 0, 0, claim.epoch)


@pytest.fixture
def _only_wake_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    # A lost wake-up would show only as a second's delay: let it be the test's time limit instead.
    monkeypatch.setattr("streams.log.wakeups.WAIT_SECONDS_MAX", 3600.0)


@pytest.mark.parametrize(("after", "limit"), [(-1, 3), (2, 3), (7, 5), (9, 5), (4, 1)])
async def test_reading_starts_behind_after_and_ends_at_limit(engine: Engine, after: int, limit: int) -> None:
    """A page of the tape holds at most `limit` inputs behind `after`, whoever stored them."""
    log, other = await engine.open(), await engine.open()
    await log.append(0, inputs(*"abcd"))
    await other.append(0, inputs(*"efg"))
    await log.append(0, inputs(*"hij"))
    expected = list(enumerate(inputs(*"abcdefghij")))[after + 1 :][:limit]
    for reader in (log, other):
        assert [
            (record.offset, record.data) for record in await reader.read_tape(0, after, limit)
        ] == expected


async def test_a_journal_holds_parts_in_order(log: Log) -> None:
    """A commit stores all parts of its entries at the next offsets, each with its entry's tape offset."""
    claim = await log.claim(0, "test")
    assert (claim.journal, claim.reached) == (-1, -1)
    assert await log.commit(claim, -1, 4, [entry(1), entry(4, parts=2)]) == 2
    assert await log.commit(claim, 2, 5, [entry(5)]) == 3
    page = await log.read_journal(0, -1, 10)
    assert [(record.offset, record.tape_offset, record.data) for record in page.records] == [
        (0, 1, b"1.0 "),
        (1, 4, b"4.0 "),
        (2, 4, b"4.1 "),
        (3, 5, b"5.0 "),
    ]
    assert (page.reached, page.complete) == (5, True)


async def test_any_record_follows_the_one_before_it(engine: Engine) -> None:
    """Whoever names the record before it gets a record, also the last part of an entry."""
    log, other = await engine.open(), await engine.open()
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 3, [entry(0, 4), entry(2, 1), entry(3, 3)])
    for reader in (log, other):
        for offset in (3, 4, 7):
            page = await reader.read_journal(0, offset - 1, 1)
            assert page.records[0].offset == offset


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 5, 100])
async def test_entries_are_only_read_whole(engine: Engine, limit: int) -> None:
    """No page ends inside an entry, and a page holds at least one, whatever the limit."""
    log, other = await engine.open(), await engine.open()
    claim = await log.claim(0, "test")
    sizes = {0: 1, 2: 3, 3: 1, 5: 4, 6: 2}
    await log.commit(claim, -1, 3, [entry(offset, sizes[offset]) for offset in (0, 2, 3)])
    await log.commit(claim, 4, 7, [entry(offset, sizes[offset]) for offset in (5, 6)])
    for reader in (log, other):
        read: list[int] = []
        for page in await drain(reader, limit=limit):
            offsets = [record.tape_offset for record in page.records]
            assert len(offsets) < max(limit, 1) + 4
            assert {offset: offsets.count(offset) for offset in offsets}.items() <= sizes.items()
            read += offsets
        assert read == [offset for offset, parts in sizes.items() for _ in range(parts)]


async def test_an_entry_larger_than_the_tail_is_read_whole(engine: Engine) -> None:
    """An entry that no memory of newest records can hold is read whole, and so is what follows it."""
    log = await engine.open()
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 0, [entry(0, parts=3, text="x" * 5_000)])
    await log.commit(claim, 2, 1, [entry(1)])
    first = await log.read_journal(0, -1, 1)
    assert [record.offset for record in first.records] == [0, 1, 2]
    assert [record.offset for record in (await log.read_journal(0, 2, 1)).records] == [3]


async def test_an_empty_journal_is_read_complete(log: Log) -> None:
    """A journal without records gives an empty page that is complete and has reached nothing."""
    assert await log.read_journal(0, -1, 10) == ([], -1, True)


@pytest.mark.parametrize("expected", [-1, 0, 2])
async def test_a_wrong_head_stores_nothing(log: Log, expected: int) -> None:
    """A commit that expects another end of the journal is fenced, and nothing of it is stored."""
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 1, [entry(0), entry(1)])
    with pytest.raises(Fenced):
        await log.commit(claim, expected, 9, [entry(7)])
    assert await log.head(0) == Head(-1, 1, 1, claim.epoch)
    assert len((await log.read_journal(0, -1, 10)).records) == 2


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_an_entry_behind_reached_stores_nothing(log: Log, first: int) -> None:
    """No entry can stand at a tape offset that the journal has passed already."""
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 2, [entry(1)])
    with pytest.raises(Fenced):
        await log.commit(claim, 0, 5, [entry(first), entry(5)])
    with pytest.raises(Fenced):
        await log.commit(claim, 0, 1, [])
    assert await log.head(0) == Head(-1, 0, 2, claim.epoch)


@pytest.mark.parametrize(
    "entries", [[entry(3), entry(2)], [entry(3), entry(3)], [entry(9)], [entry(3, parts=0)]]
)
async def test_entries_out_of_order_are_refused(log: Log, entries: list[Any]) -> None:
    """Entries of a commit lie in tape order, up to what it says it has reached, and none is empty."""
    claim = await log.claim(0, "test")
    with pytest.raises(ValueError):
        await log.commit(claim, -1, 5, entries)
    assert (await log.head(0)).journal == -1


async def test_a_later_claim_fences_the_first(log: Log) -> None:
    """After a second claim the first commits nothing, though it knows the journal's end."""
    first = await log.claim(0, "test")
    await log.commit(first, -1, 0, [entry(0)])
    second = await log.claim(0, "test")
    assert second.epoch > first.epoch
    assert (second.journal, second.reached) == (0, 0)
    with pytest.raises(Fenced):
        await log.commit(first, 0, 1, [entry(1)])
    assert await log.commit(second, 0, 1, [entry(1)]) == 1
    assert [record.tape_offset for record in (await log.read_journal(0, -1, 10)).records] == [0, 1]


async def test_a_released_claim_can_be_taken_at_once(engine: Engine) -> None:
    """After a release another log claims at once, and fences the one that has released."""
    log, other = await engine.open(), await engine.open()
    first = await log.claim(0, "test")
    await log.release(first)
    second = await other.claim(0, "test")
    with pytest.raises(Fenced):
        await log.commit(first, -1, 0, [entry(0)])
    await other.commit(second, -1, 0, [entry(0)])


async def test_releasing_a_fenced_claim_takes_nothing_from_the_later_one(log: Log) -> None:
    """A claim that was fenced inside its process gives nothing up when it is released."""
    first = await log.claim(0, "test")
    second = await log.claim(0, "test")
    await log.release(first)
    assert await log.commit(second, -1, 0, [entry(0)]) == 0


async def test_reached_moves_without_entries(engine: Engine) -> None:
    """A commit of no entries moves `reached` for every reader and no journal offset."""
    log, other = await engine.open(), await engine.open()
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 3, [entry(2)])
    assert await log.commit(claim, 0, 8, []) == 0
    for reader in (log, other):
        assert (await reader.read_journal(0, -1, 10)).reached == 8
        assert await reader.read_journal(0, 0, 10) == ([], 8, True)
        assert await reader.head(0) == Head(-1, 0, 8, claim.epoch)


async def test_reached_belongs_to_the_records_beside_it(engine: Engine) -> None:
    """Read while commits go on, a complete page never lacks an entry that its `reached` has passed."""
    log, other = await engine.open(), await engine.open()
    claim = await log.claim(0, "test")
    done = asyncio.Event()

    async def write() -> None:
        # Entry n is the journal's record n, and each commit reaches exactly its last entry.
        for turn in range(60):
            await log.commit(claim, 2 * turn - 1, 2 * turn + 1, [entry(2 * turn), entry(2 * turn + 1)])
            await asyncio.sleep(0)
        done.set()

    async def read(reader: Log) -> None:
        after = -1
        while not done.is_set():
            page = await reader.read_journal(0, after, 7)
            after = page.records[-1].offset if page.records else after
            assert (after == page.reached) if page.complete else (after < page.reached)
            await asyncio.sleep(0)

    await asyncio.gather(write(), read(log), read(other))


@pytest.mark.usefixtures("_only_wake_ups")
async def test_a_wait_ends_by_an_append_from_elsewhere(engine: Engine) -> None:
    """A wait for the tape ends when another log appends, every time."""
    log, other = await engine.open(), await engine.open()
    for turn in range(5):
        waiting = asyncio.create_task(log.wait_tape(0, turn - 1, 3600.0))
        await asyncio.sleep(0)
        await other.append(0, inputs("a"))
        await waiting
        assert len(await log.read_tape(0, turn - 1, 10)) == 1


@pytest.mark.usefixtures("_only_wake_ups")
async def test_a_wait_ends_by_a_commit_from_elsewhere(engine: Engine) -> None:
    """A wait for the journal ends by a record, and by `reached` alone, committed by another log."""
    log, other = await engine.open(), await engine.open()
    claim = await other.claim(0, "test")
    waiting = asyncio.create_task(log.wait_journal(0, -1, -1, 3600.0))
    await other.commit(claim, -1, 0, [entry(0)])
    await waiting
    waiting = asyncio.create_task(log.wait_journal(0, 0, 0, 3600.0))
    await other.commit(claim, 0, 1, [])
    await waiting
    assert (await log.read_journal(0, 0, 1)).reached == 1


@pytest.mark.usefixtures("_only_wake_ups")
async def test_a_wait_for_what_is_there_returns(log: Log) -> None:
    """A wait for what the log holds already returns without anything happening."""
    await log.append(0, inputs("a"))
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 0, [entry(0)])
    await log.wait_tape(0, -1, 3600.0)
    await log.wait_journal(0, -1, 0, 3600.0)
    await log.wait_journal(0, 0, -1, 3600.0)


async def test_a_wait_without_wake_up_returns(log: Log) -> None:
    """A wait ends by itself when nothing happens, so that its caller reads again."""
    async with asyncio.timeout(30):
        await log.wait_tape(0, 5, 0.05)
        await log.wait_journal(0, 5, 5, 0.05)
        await log.wait_tape(0, 5, 3600)


@pytest.mark.usefixtures("_only_wake_ups")
async def test_a_canceled_wait_leaves_the_others(log: Log) -> None:
    """Canceling one who waits takes no wake-up from the others."""
    canceled, waiting = (asyncio.create_task(log.wait_tape(0, -1, 3600.0)) for _ in range(2))
    await asyncio.sleep(0)
    canceled.cancel()
    await log.append(0, inputs("a"))
    await waiting
    with pytest.raises(asyncio.CancelledError):
        await canceled


async def test_claims_count_up_over_all_logs(engine: Engine) -> None:
    """Every claim has a higher epoch than all before it, whoever claims."""
    claims: list[Claim] = []
    for _ in range(3):
        log = await engine.open()
        claims.append(await log.claim(0, "test"))
        await log.release(claims[-1])
    assert [claim.epoch for claim in claims] == sorted({claim.epoch for claim in claims})


async def test_settling_gives_the_ends_as_they_are(log: Log) -> None:
    """A claim that is settled goes on with its own epoch, from the ends that its commits have left."""
    claim = await log.claim(0, "test")
    await log.commit(claim, -1, 4, [entry(1), entry(4, parts=2)])
    settled = await log.settle(claim)
    assert settled == Claim(0, claim.epoch, 2, 4)
    assert await log.commit(settled, 2, 5, [entry(5)]) == 3
    assert await log.head(0) == Head(-1, 3, 5, claim.epoch)


async def test_a_fenced_claim_cannot_be_settled(engine: Engine) -> None:
    """A claim that another has followed is told so, and takes nothing from the later one."""
    log, other = await engine.open(), await engine.open()
    first = await log.claim(0, "test")
    await log.release(first)
    second = await other.claim(0, "test")
    with pytest.raises(Fenced):
        await log.settle(first)
    assert await other.commit(second, -1, 0, [entry(0)]) == 0

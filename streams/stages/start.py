"""How a trader begins: claim its tape, then fold tape and journal, without deciding anything.

The fold goes on from a snapshot where there is one that can be used, else it is of everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple

import structlog

from daemon.domain.errors import BrokenInvariant
from daemon.domain.events import AnyEvent
from daemon.domain.tape import Tape
from daemon.records import (
    GENESIS,
    BrokenChain,
    ChainReader,
    Entry,
    JournalRecord,
    TapeRecord,
    UnreadableRecord,
    decode_input,
)
from streams.log.contract import Claim, Log, LogEnd, LogUnavailable, OutcomeUnknown
from streams.snapshots.contract import Snapshot, SnapshotStore
from streams.snapshots.reading import pass_over, usable
from streams.stages.breath import Breath
from streams.stages.retrying import RETRY_SECONDS

PAGE: Final = 1_000

_logger = structlog.get_logger("trader")


class Folded(NamedTuple):
    """A tape folded up to `reached`, and the end of its journal there."""

    tape: Tape
    reached: int
    journal: int
    hash: str
    snapshot: Snapshot | None = None
    """Where it began; None: with nothing."""

    @property
    def end(self) -> LogEnd:
        """Where it stands."""
        return LogEnd(self.journal, self.reached, self.hash)


async def take_claim(log: Log, number: int, stop: asyncio.Event) -> Claim | None:
    """Claim a tape, as soon as the log can be reached; None when told to stop. Raises `ClaimHeld`."""
    while not stop.is_set():
        try:
            return await log.claim(number, "trader")
        except (LogUnavailable, OutcomeUnknown) as error:
            _logger.warning("log unavailable", tape=number, error=str(error))
        await asyncio.sleep(RETRY_SECONDS)
    return None


async def fold_log(
    log: Log, number: int, journal: int, reached: int, snapshots: SnapshotStore | None = None
) -> Folded:
    """Fold one tape up to the journal offset `journal` and the tape offset `reached`.

    Raises `BrokenChain` or `UnreadableRecord` of a journal that cannot be trusted.
    """
    if snapshots is not None:
        async for found in usable(snapshots, log, number, journal, reached):
            try:
                folded = await _fold_on(log, number, journal, reached, found.tape, found.end)
            except (BrokenChain, UnreadableRecord, BrokenInvariant) as error:
                pass_over(found.snapshot, error)  # if it is the log that is broken, the full fold will say so
                continue
            return folded._replace(snapshot=found.snapshot)
    return await _fold_on(log, number, journal, reached, Tape(), LogEnd(-1, -1, GENESIS))


async def _fold_on(log: Log, number: int, journal: int, reached: int, tape: Tape, begin: LogEnd) -> Folded:
    """Fold what stands behind `begin` into a tape that was folded up to there."""
    chain, breath = ChainReader(begin.hash, begin.reached), Breath()
    breath.begin()
    entries = _entries(log, number, begin.journal, journal, chain, breath)
    entry = await anext(entries, None)
    async for record in _inputs(log, number, begin.reached, reached):
        while entry is not None and entry.tape_offset < record.offset:
            entry = await anext(entries, None)
        events = entry.events if entry is not None and entry.tape_offset == record.offset else ()
        await fold_record(tape, record, events, breath)
    async for _ in entries:
        pass  # the rest of the chain is walked even if it holds nothing for us
    return Folded(tape, reached, journal, chain.hash)


async def catch_up(log: Log, tape: Tape, begin: LogEnd, end: Claim, breath: Breath) -> LogEnd:
    """Fold what was committed behind `begin` into a tape that stands there; where it stands then."""
    records, entries, reached = await read_back(log, end.tape, begin, end, breath)
    for record in records:  # all is read: from here on nothing can fail half-way
        await fold_record(tape, record, entries.get(record.offset, ()), breath)
    return reached


async def read_back(
    log: Log, number: int, begin: LogEnd, end: Claim, breath: Breath
) -> tuple[list[TapeRecord], dict[int, tuple[AnyEvent, ...]], LogEnd]:
    """What was committed behind `begin`: inputs, the events of those that have an entry, and the new end."""
    chain = ChainReader(begin.hash, begin.reached)
    entries: dict[int, tuple[AnyEvent, ...]] = {}
    records: list[TapeRecord] = []
    journal, reached = begin.journal, begin.reached
    while journal < end.journal:
        page = await log.read_journal(number, journal, PAGE)
        async for entry in _whole(chain, page.records, breath):
            entries[entry.tape_offset] = entry.events
        journal = page.records[-1].offset
    while reached < end.reached:
        records.extend(await log.read_tape(number, reached, min(PAGE, end.reached - reached)))
        reached = records[-1].offset
    return records, entries, LogEnd(journal, reached, chain.hash)


async def fold_record(tape: Tape, record: TapeRecord, events: tuple[AnyEvent, ...], breath: Breath) -> None:
    """Fold one stored input and its events; bytes that are no input are right only if it was dropped."""
    try:
        given = decode_input(record)
    except UnreadableRecord:
        given = None
    for _ in tape.folding(record.offset, record.at, given, events):
        if breath.is_due():
            await breath.take()


async def _whole(
    chain: ChainReader, records: Iterable[JournalRecord], breath: Breath
) -> AsyncIterator[Entry]:
    for record in records:
        entry = chain.take(record)
        if entry is not None:
            yield entry
        if breath.is_due():
            await breath.take()


async def _inputs(log: Log, number: int, after: int, last: int) -> AsyncIterator[TapeRecord]:
    while after < last:
        records = await log.read_tape(number, after, min(PAGE, last - after))
        if not records:
            raise UnreadableRecord(f"tape {number} ends at {after}, its journal has reached {last}")
        for record in records:
            yield record
        after = records[-1].offset


async def _entries(
    log: Log, number: int, after: int, last: int, chain: ChainReader, breath: Breath
) -> AsyncIterator[Entry]:
    while after < last:
        page = await log.read_journal(number, after, PAGE)
        if not page.records:
            raise UnreadableRecord(f"journal {number} ends at {after}, expected {last}")
        async for entry in _whole(chain, page.records, breath):
            yield entry
        after = page.records[-1].offset

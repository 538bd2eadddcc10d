"""How a trader begins: claim its tape, then fold tape and journal in full, without deciding anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple

import structlog

from daemon.domain.events import AnyEvent
from daemon.domain.tape import Tape
from daemon.records import ChainReader, Entry, JournalRecord, TapeRecord, UnreadableRecord, decode_input
from streams.log.contract import Claim, Log, LogUnavailable, OutcomeUnknown
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


class LogEnd(NamedTuple):
    """Where a reader stands: the last record of the journal, the tape offset reached, that record's hash."""

    journal: int
    reached: int
    hash: str


async def take_claim(log: Log, number: int, stop: asyncio.Event) -> Claim | None:
    """Claim a tape, as soon as the log can be reached; None when told to stop. Raises `ClaimHeld`."""
    while not stop.is_set():
        try:
            return await log.claim(number, "trader")
        except (LogUnavailable, OutcomeUnknown) as error:
            _logger.warning("log unavailable", tape=number, error=str(error))
        await asyncio.sleep(RETRY_SECONDS)
    return None


async def fold_log(log: Log, number: int, journal: int, reached: int) -> Folded:
    """Fold one tape up to the journal offset `journal` and the tape offset `reached`.

    Raises `BrokenChain` or `UnreadableRecord` of a journal that cannot be trusted.
    """
    tape, chain, breath = Tape(), ChainReader(), Breath()
    entries = _entries(log, number, journal, chain, breath)
    entry = await anext(entries, None)
    async for record in _inputs(log, number, reached):
        while entry is not None and entry.tape_offset < record.offset:
            entry = await anext(entries, None)
        events = entry.events if entry is not None and entry.tape_offset == record.offset else ()
        await fold_record(tape, record, events, breath)
    async for _ in entries:
        pass  # the rest of the chain is walked even if it holds nothing for us
    return Folded(tape, reached, journal, chain.hash)


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


async def _inputs(log: Log, number: int, last: int) -> AsyncIterator[TapeRecord]:
    after = -1
    while after < last:
        records = await log.read_tape(number, after, min(PAGE, last - after))
        if not records:
            raise UnreadableRecord(f"tape {number} ends at {after}, its journal has reached {last}")
        for record in records:
            yield record
        after = records[-1].offset


async def _entries(
    log: Log, number: int, last: int, chain: ChainReader, breath: Breath
) -> AsyncIterator[Entry]:
    after = -1
    while after < last:
        page = await log.read_journal(number, after, PAGE)
        if not page.records:
            raise UnreadableRecord(f"journal {number} ends at {after}, expected {last}")
        async for entry in _whole(chain, page.records, breath):
            yield entry
        after = page.records[-1].offset

"""How a trader begins: fold the tape and its journal in full, without deciding anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from daemon.domain.events import AnyEvent
from daemon.domain.tape import Tape
from daemon.records import ChainReader, Entry, TapeRecord, UnreadableRecord, decode_input
from streams.log.contract import Head, Log

PAGE: Final = 1_000
_PAUSE_EVERY: Final = 50
"""Folds between two looks at the event loop: about 2 ms."""


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


async def fold_log(log: Log, number: int, journal: int, reached: int) -> Folded:
    """Fold one tape up to the journal offset `journal` and the tape offset `reached`.

    Raises `BrokenChain` or `UnreadableRecord` of a journal that cannot be trusted.
    """
    tape, chain = Tape(), ChainReader()
    entries = _entries(log, number, journal, chain)
    entry = await anext(entries, None)
    async for record in _inputs(log, number, reached):
        while entry is not None and entry.tape_offset < record.offset:
            entry = await anext(entries, None)
        events = entry.events if entry is not None and entry.tape_offset == record.offset else ()
        fold_record(tape, record, events)
        if record.offset % _PAUSE_EVERY == 0:
            await asyncio.sleep(0)
    async for _ in entries:
        pass  # the rest of the chain is walked even if it holds nothing for us
    return Folded(tape, reached, journal, chain.hash)


async def read_back(
    log: Log, number: int, begin: LogEnd, head: Head
) -> tuple[list[TapeRecord], dict[int, tuple[AnyEvent, ...]], LogEnd]:
    """What was committed behind `begin`: inputs, the events of those that have an entry, and the new end."""
    chain = ChainReader(begin.hash, begin.reached)
    entries: dict[int, tuple[AnyEvent, ...]] = {}
    records: list[TapeRecord] = []
    journal, reached = begin.journal, begin.reached
    while journal < head.journal:
        page = await log.read_journal(number, journal, PAGE)
        entries.update((entry.tape_offset, entry.events) for entry in chain.read(page.records))
        journal = page.records[-1].offset
    while reached < head.reached:
        records.extend(await log.read_tape(number, reached, min(PAGE, head.reached - reached)))
        reached = records[-1].offset
    return records, entries, LogEnd(journal, reached, chain.hash)


def fold_record(tape: Tape, record: TapeRecord, events: tuple[AnyEvent, ...]) -> None:
    """Fold one stored input and its events; bytes that are no input are right only if it was dropped."""
    try:
        given = decode_input(record)
    except UnreadableRecord:
        given = None
    tape.fold(record.offset, record.at, given, events)


async def _inputs(log: Log, number: int, last: int) -> AsyncIterator[TapeRecord]:
    after = -1
    while after < last:
        records = await log.read_tape(number, after, min(PAGE, last - after))
        if not records:
            raise UnreadableRecord(f"tape {number} ends at {after}, its journal has reached {last}")
        for record in records:
            yield record
        after = records[-1].offset


async def _entries(log: Log, number: int, last: int, chain: ChainReader) -> AsyncIterator[Entry]:
    after = -1
    while after < last:
        page = await log.read_journal(number, after, PAGE)
        if not page.records:
            raise UnreadableRecord(f"journal {number} ends at {after}, expected {last}")
        for entry in chain.read(page.records):
            yield entry
        after = page.records[-1].offset

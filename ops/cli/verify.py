"""`tapefold verify`: whether the journal is what was once committed, and fits the tape.

The chain shows every change but one of its last record; that one is held against the hash under which the
read models were folded. The tape has no chain: of its inputs form, order and completeness are checked, and
that each got the entry it must have.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg

from daemon.domain.commands import ObservePrices
from daemon.domain.events import InputDropped
from daemon.records import (
    BrokenChain,
    ChainReader,
    Entry,
    TapeRecord,
    UnreadableRecord,
    decode_input,
)
from daemon.settings import Settings
from ops.cli.saying import Progress
from ops.errors import StartError
from ops.installation import Installation, read_settings, run_command, use_installation
from projections.progress import get_progress
from streams.log.contract import Head, Log

BROKEN: Final = 1
UNREADABLE: Final = 2
PAGE: Final = 1_000
"""Records and inputs in memory at once."""


class Walked(NamedTuple):
    """What was found sound."""

    tape: int
    inputs: int
    reached: int
    records: int
    entries: int
    hash: str


class Anchor(NamedTuple):
    """A hash that somebody else keeps: that of the journal record at `offset`."""

    offset: int
    hash: str


def run(*, home: Path | None) -> None:
    """Walk all tapes; exits 1 where the journal is broken, 2 where something cannot be read."""
    try:
        for found in run_command(verify(read_settings(home=home))):
            print(
                f"tape {found.tape}: {found.records} records, {found.entries} entries, "
                f"{found.inputs} inputs, reached {found.reached}, head {found.hash}"
            )
        print("sound")
    except BrokenChain as error:
        _fail(f"broken: {error}", BROKEN)
    except UnreadableRecord as error:
        _fail(f"unreadable: {error}", UNREADABLE)
    except StartError as error:
        _fail(str(error), UNREADABLE)


def _fail(line: str, code: int) -> None:
    sys.stderr.write(f"tapefold: {line}\n")
    sys.exit(code)


async def verify(settings: Settings) -> list[Walked]:
    """Walk all tapes. Raises `BrokenChain`, `UnreadableRecord` or `StartError`, each with one line."""
    async with use_installation(settings, "tapefold verify", must_exist=True) as installation:
        return [await _walk_tape(installation, tape) for tape in range(installation.log.tapes)]


async def _walk_tape(installation: Installation, tape: int) -> Walked:
    """Walk one tape up to where it stands now; a daemon may go on writing behind that."""
    anchor = await _anchor(installation, tape)
    head = await installation.log.head(tape)
    if anchor is not None and anchor.offset > head.journal:
        raise BrokenChain(
            f"journal offset {head.journal + 1}: the journal ends before it, "
            f"but the read models were folded up to {anchor.offset}"
        )
    if head.reached > head.tape:
        raise BrokenChain(f"tape offset {head.tape + 1}: the tape ends before it, the journal has reached it")
    progress = Progress(f"verify tape {tape}", head.tape + 1 + head.journal + 1, "records")
    try:
        return await walk(installation.log, tape, head, anchor, progress)
    finally:
        progress.close()


async def _anchor(installation: Installation, tape: int) -> Anchor | None:
    try:
        stored = await get_progress(installation.database.pool, tape)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        return None  # never built, or of another version
    return None if stored is None or stored.journal_offset < 0 else Anchor(stored.journal_offset, stored.hash)


async def walk(log: Log, tape: int, head: Head, anchor: Anchor | None, progress: Progress) -> Walked:
    """Walk tape and journal side by side, page by page.

    Raises `BrokenChain` or `UnreadableRecord`, each naming the place.
    """
    chain = ChainReader()
    journal = _Journal(log, tape, head.journal, chain, anchor)
    entries = journal.entries()
    entry = await anext(entries, None)
    count = 0
    async for record in _inputs(log, tape, head.tape):
        got = entry if entry is not None and entry.tape_offset == record.offset else None
        _check_input(record, got, is_decided=record.offset <= head.reached)
        if got is not None:
            count += 1
            entry = await anext(entries, None)
        progress.update(record.offset + 1 + journal.last + 1)
    if entry is not None:
        raise BrokenChain(f"entry {entry.tape_offset}: the tape ends at {head.tape}")
    if not chain.whole:
        raise BrokenChain(f"journal offset {head.journal}: the last entry lacks a part")
    if chain.reached > head.reached:
        raise BrokenChain(f"entry {chain.reached}: the journal says that it has reached {head.reached} only")
    return Walked(tape, head.tape + 1, head.reached, head.journal + 1, count, chain.hash)


class _Journal:
    """The journal up to the offset `end`; `last` is the offset that was read last."""

    def __init__(self, log: Log, tape: int, end: int, chain: ChainReader, anchor: Anchor | None) -> None:
        self.last = -1
        self._log = log
        self._tape = tape
        self._end = end
        self._chain = chain
        self._anchor = anchor

    async def entries(self) -> AsyncIterator[Entry]:
        """Whole entries, each checked against the one before."""
        while self.last < self._end:
            page = await self._log.read_journal(self._tape, self.last, PAGE)
            if not page.records:
                raise BrokenChain(
                    f"journal offset {self.last + 1}: is missing, the journal goes to {self._end}"
                )
            for record in page.records:
                if record.offset > self._end:
                    return
                if record.offset != self.last + 1:
                    raise BrokenChain(f"journal offset {self.last + 1}: is missing, found {record.offset}")
                for entry in self._chain.read((record,)):
                    yield entry
                self.last = record.offset
                self._check_anchor()

    def _check_anchor(self) -> None:
        anchor = self._anchor
        if anchor is not None and anchor.offset == self.last and anchor.hash != self._chain.hash:
            raise BrokenChain(
                f"journal offset {self.last}: has the hash {self._chain.hash[:16]}…, "
                f"the read models were folded from {anchor.hash[:16]}…"
            )


async def _inputs(log: Log, tape: int, last: int) -> AsyncIterator[TapeRecord]:
    after = -1
    while after < last:
        records = await log.read_tape(tape, after, min(PAGE, last - after))
        if not records:
            raise BrokenChain(f"tape offset {after + 1}: is missing, the tape goes to {last}")
        for record in records:
            if record.offset != after + 1:
                raise BrokenChain(f"tape offset {after + 1}: is missing, found {record.offset}")
            yield record
            after = record.offset


def _check_input(record: TapeRecord, entry: Entry | None, *, is_decided: bool) -> None:
    """An input can be read or was dropped; decided, it has an entry unless it is prices."""
    try:
        given = decode_input(record)
    except UnreadableRecord:
        if entry is not None and any(isinstance(event, InputDropped) for event in entry.events):
            return
        raise
    if is_decided and entry is None and not isinstance(given.command, ObservePrices):
        raise BrokenChain(f"tape offset {record.offset}: {type(given.command).__name__} has no entry")

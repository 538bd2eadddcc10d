"""Copying a log into another engine: the same bytes at the same offsets and times, proved on both sides.

Nobody appends or commits meanwhile: who calls this holds every claim and has seen to the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol

from daemon.records import BrokenChain, ChainReader, JournalRecord, TapeRecord
from streams.log.contract import Head, Log

PAGE: Final = 500
"""Inputs, or about so many records, in memory at once."""

OnProgress = Callable[[int], None]
"""Told how many inputs and records are done, of all tapes together."""


class CopyFailed(Exception):
    """The copy is not what it must be; the message is one line for the user."""


class Target(Protocol):
    """An empty log that takes another's records. Nobody uses it as a log before it is whole."""

    async def put_inputs(self, tape: int, inputs: Sequence[TapeRecord]) -> None:
        """Store the next inputs of a tape, with the times that they have."""

    async def put_records(self, tape: int, records: Sequence[JournalRecord], epoch: int) -> None:
        """Store the next whole entries of a journal."""

    async def end(self, tape: int, head: Head) -> None:
        """Let the tape end as the other does."""


class Sums(NamedTuple):
    """What one tape and its journal hold."""

    head: Head
    inputs: str
    """SHA-256 (hex) over offset, time and bytes of every input."""
    hash: str
    """That of the journal's last record, which names the one before it, and so on to the first."""


async def copy(source: Log, target: Target, on_progress: OnProgress) -> Sequence[Sums]:
    """Copy all tapes; what they hold. Raises `BrokenChain`, `UnreadableRecord`, and as logs and target do."""
    found: list[Sums] = []
    done = 0
    for tape in range(source.tapes):
        head = await source.head(tape)
        copying = _Copying(target, tape, head.epoch)
        found.append(
            await walk(source, head, tape, _behind(on_progress, done), copying.inputs, copying.records)
        )
        await target.end(tape, head)
        done += head.tape + 1 + head.journal + 1
    return found


async def check(log: Log, expected: Sequence[Sums], on_progress: OnProgress) -> None:
    """Read a copy from its start to its end. Raises `CopyFailed` where it differs."""
    done = 0
    for tape, sums in enumerate(expected):
        head = sums.head
        try:
            found = await walk(log, head, tape, _behind(on_progress, done))
        except BrokenChain as error:
            raise CopyFailed(f"the copy of tape {tape} is broken: {error}") from error
        if found.inputs != sums.inputs:
            raise CopyFailed(f"the copy of tape {tape} has other inputs, or other times of them")
        if found.hash != sums.hash:
            raise CopyFailed(
                f"the copy of journal {tape} ends in the hash {found.hash[:16]}…, not {sums.hash[:16]}…"
            )
        done += head.tape + 1 + head.journal + 1


def total(heads: Sequence[Head]) -> int:
    """All inputs and records up to these ends."""
    return sum(head.tape + 1 + head.journal + 1 for head in heads)


class _Copying:
    def __init__(self, target: Target, tape: int, epoch: int) -> None:
        self._target = target
        self._tape = tape
        self._epoch = epoch

    async def inputs(self, inputs: Sequence[TapeRecord]) -> None:
        await self._target.put_inputs(self._tape, inputs)

    async def records(self, records: Sequence[JournalRecord]) -> None:
        await self._target.put_records(self._tape, records, self._epoch)


def _behind(on_progress: OnProgress, before: int) -> OnProgress:
    return lambda done: on_progress(before + done)


async def _drop(_: Sequence[TapeRecord] | Sequence[JournalRecord]) -> None:
    pass


async def walk(
    log: Log,
    head: Head,
    tape: int,
    on_progress: OnProgress,
    on_inputs: Callable[[Sequence[TapeRecord]], Awaitable[None]] = _drop,
    on_records: Callable[[Sequence[JournalRecord]], Awaitable[None]] = _drop,
) -> Sums:
    """Read one tape and its journal up to these ends, each page handed on once it was found sound.

    Raises `BrokenChain` or `UnreadableRecord`.
    """
    sums = hashlib.sha256()
    after = -1
    while after < head.tape:
        inputs = await log.read_tape(tape, after, min(PAGE, head.tape - after))
        _follow("tape", after, head.tape, [each.offset for each in inputs])
        for each in inputs:
            sums.update(b"%d %d %d " % (each.offset, each.at, len(each.data)))
            sums.update(each.data)
        await on_inputs(inputs)
        after = inputs[-1].offset
        on_progress(after + 1)
    chain, last = ChainReader(), -1
    while last < head.journal:
        records = [
            each for each in (await log.read_journal(tape, last, PAGE)).records if each.offset <= head.journal
        ]
        _follow("journal", last, head.journal, [each.offset for each in records])
        for record in records:
            chain.take(record)
        if not chain.whole:
            raise BrokenChain(f"journal offset {records[-1].offset}: its entry lacks a part")
        await on_records(records)
        last = records[-1].offset
        on_progress(after + 1 + last + 1)
    if chain.reached > head.reached:
        raise BrokenChain(f"entry {chain.reached}: the journal says that it has reached {head.reached} only")
    return Sums(head, sums.hexdigest(), chain.hash)


def _follow(what: str, after: int, end: int, offsets: Sequence[int]) -> None:
    if not offsets:
        raise BrokenChain(f"{what} offset {after + 1}: is missing, the {what} goes to {end}")
    for offset in offsets:
        after += 1
        if offset != after:
            raise BrokenChain(f"{what} offset {after}: is missing, found {offset}")

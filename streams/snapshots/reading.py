"""Reading a snapshot back, if it is what was written and belongs to this journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import structlog

from daemon.domain.errors import BrokenInvariant, DomainError
from daemon.domain.freezing import thawing
from daemon.domain.tape import Tape
from daemon.records import GENESIS, BrokenChain, record_hash
from streams.log.contract import Log, LogEnd
from streams.snapshots.contract import Checksum, Facts, Snapshot, SnapshotsFailed, SnapshotStore, version
from streams.stages.breath import Breath

_log = structlog.get_logger("snapshots")


class Thawed(NamedTuple):
    """A tape as a snapshot holds it, and the end of the log there."""

    snapshot: Snapshot
    tape: Tape
    end: LogEnd


async def usable(
    store: SnapshotStore, log: Log, number: int, journal: int, reached: int
) -> AsyncIterator[Thawed]:
    """The snapshots of a tape that ends there, the newest first; one that cannot be used is passed over.

    Raises `LogUnavailable`.
    """
    try:
        found: Sequence[Snapshot] = await store.newest(number)
    except SnapshotsFailed as error:
        _log.warning("snapshots cannot be listed", tape=number, error=str(error))
        return
    for snapshot in found:
        try:
            await check_place(snapshot.facts, log, number, journal, reached)
            tape = await _thaw(store, snapshot)
        except (SnapshotsFailed, DomainError, BrokenInvariant, BrokenChain) as error:
            pass_over(snapshot, error)
            continue
        facts = snapshot.facts
        yield Thawed(snapshot, tape, LogEnd(facts.journal, facts.reached, facts.hash))


def pass_over(snapshot: Snapshot, error: Exception) -> None:
    """Say that a snapshot is of no use: an older one, or the full fold, takes its place."""
    facts = snapshot.facts
    _log.warning("snapshot passed over", tape=facts.tape, reached=facts.reached, error=str(error))


async def check_place(facts: Facts, log: Log, number: int, journal: int, reached: int) -> None:
    """Whether a snapshot is of this program, and of a log that ends there.

    Raises `SnapshotsFailed` with the reason if not, `LogUnavailable`.
    """
    if facts.version != version():
        raise SnapshotsFailed("another version of the program wrote it")
    if facts.tape != number:
        raise SnapshotsFailed(f"it is of tape {facts.tape}")
    if not (-1 <= facts.journal <= journal and -1 <= facts.reached <= reached):
        raise SnapshotsFailed(
            f"it stands at {facts.reached}, journal {facts.journal};"
            f" the log has reached {reached}, journal {journal}"
        )
    found = GENESIS
    if facts.journal >= 0:
        page = await log.read_journal(number, facts.journal - 1, 1)
        if not page.records or page.records[0].offset != facts.journal:
            raise SnapshotsFailed(f"the journal has no record {facts.journal}")
        found = record_hash(page.records[0].data)
    if found != facts.hash:
        raise SnapshotsFailed(f"record {facts.journal} of the journal is another one")


async def _thaw(store: SnapshotStore, snapshot: Snapshot) -> Tape:
    """The tape, once all chunks have been read and found to be what was written."""
    facts, checksum, breath = snapshot.facts, Checksum(), Breath()
    chunks: list[bytes] = []
    for number in range(facts.chunks):
        chunk = await store.chunk(snapshot.id, number)
        checksum.add(chunk)
        chunks.append(chunk)
    if checksum.of(facts) != facts.checksum:
        raise SnapshotsFailed("its checksum is another one")
    steps = thawing(line for chunk in chunks for line in chunk.splitlines())
    breath.begin()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            tape: Tape = done.value
            return tape
        if breath.is_due():
            await breath.take()

"""Writing a snapshot down, while everything else goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from daemon import clock
from daemon.domain.freezing import Copy, freezing
from streams.log.contract import LogEnd
from streams.snapshots.contract import Checksum, Facts, Snapshot, SnapshotStore, version
from streams.stages.breath import Breath

CHUNK_BYTES: Final = 256 * 1024
"""A chunk is stored as soon as it has so many."""


async def write(store: SnapshotStore, tape: int, state: Copy, end: LogEnd) -> Snapshot:
    """Store the state at `end`. Raises `SnapshotsFailed` or `LogUnavailable`: then nothing has changed.

    It encodes in breaths and has no more than one chunk in memory.
    """
    began = clock.monotonic()
    snapshot = await store.begin(tape)
    checksum, number, size = Checksum(), 0, 0
    async for chunk in _chunks(state, end.reached):
        checksum.add(chunk)
        await store.put(snapshot, number, chunk)
        number, size = number + 1, size + len(chunk)
    facts = Facts(
        tape=tape,
        reached=end.reached,
        journal=end.journal,
        hash=end.hash,
        version=version(),
        bytes=size,
        chunks=number,
    )
    facts = msgspec.structs.replace(facts, checksum=checksum.of(facts))
    return await store.finish(snapshot, facts, clock.monotonic() - began)


async def _chunks(state: Copy, reached: int) -> AsyncIterator[bytes]:
    """Lines, each with its end, as many as make a chunk."""
    lines, size, breath = list[bytes](), 0, Breath()
    breath.begin()
    for line in freezing(state, reached):
        lines.append(line)
        size += len(line) + 1
        if size >= CHUNK_BYTES:
            yield b"\n".join((*lines, b""))
            lines.clear()
            size = 0
            breath.begin()
        elif breath.is_due():
            await breath.take()
    if lines:
        yield b"\n".join((*lines, b""))

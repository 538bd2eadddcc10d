"""Snapshots in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from daemon import clock
from streams.snapshots.contract import KEEP, Facts, Snapshot, SnapshotsFailed


class MemorySnapshots:
    """Forgets everything with its process."""

    def __init__(self) -> None:
        self.chunks: dict[int, list[bytes]] = {}
        self.whole: dict[int, Snapshot] = {}
        self._next = 0

    async def begin(self, tape: int) -> int:
        """The id of a new snapshot."""
        self._next += 1
        self.chunks[self._next] = []
        return self._next

    async def put(self, snapshot: int, number: int, data: bytes) -> None:
        """Store one chunk."""
        self.chunks[snapshot].append(data)

    async def finish(self, snapshot: int, facts: Facts, seconds: float) -> Snapshot:
        """Make it count, and delete the oldest."""
        made = self.whole[snapshot] = Snapshot(snapshot, facts, clock.now_ms(), seconds)
        for old in (await self.newest(facts.tape))[KEEP:]:
            del self.whole[old.id], self.chunks[old.id]
        return made

    async def newest(self, tape: int) -> Sequence[Snapshot]:
        """The whole ones of a tape, the newest first."""
        return [each for _, each in sorted(self.whole.items(), reverse=True) if each.facts.tape == tape]

    async def chunk(self, snapshot: int, number: int) -> bytes:
        """One chunk."""
        try:
            return self.chunks[snapshot][number]
        except (KeyError, IndexError):
            raise SnapshotsFailed(f"snapshot {snapshot} has no chunk {number}") from None

"""What is stored of a snapshot, and what a store of them must do.

A snapshot only saves time. Whoever reads one checks it, and one that fails the check is passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

import daemon.domain
from daemon import clock

KEEP: Final = 2
"""Snapshots kept of one tape: if the newest is damaged there is one before it."""


class SnapshotsFailed(Exception):
    """The store refused, or what it holds cannot be read."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself."""

    tape: int
    reached: int
    """The tape offset up to which it holds everything."""
    journal: int
    """Offset of the journal's last record there (−1: none)."""
    hash: str
    """SHA-256 (hex) of that record."""
    version: str
    """SHA-256 (hex) of the sources of `daemon.domain` that wrote it: no others can read it."""
    bytes: int
    chunks: int
    checksum: str = ""
    """SHA-256 (hex) over all the facts above and the chunks."""


class Snapshot(NamedTuple):
    """A whole one, as the store lists it."""

    id: int
    facts: Facts
    made_at: int
    """Milliseconds since the epoch."""
    seconds: float
    """How long it took to write."""


class SnapshotStore(Protocol):
    """Keeps snapshots. Raises `SnapshotsFailed`, or `LogUnavailable` where it may work later."""

    async def begin(self, tape: int) -> int:
        """The id of a new snapshot. It does not count before `finish`."""

    async def put(self, snapshot: int, number: int, data: bytes) -> None:
        """Store one chunk; they are numbered from 0 on."""

    async def finish(self, snapshot: int, facts: Facts, seconds: float) -> Snapshot:
        """Make it count, durably, and delete all but the newest `KEEP` of its tape."""

    async def newest(self, tape: int) -> Sequence[Snapshot]:
        """The whole ones of a tape, the newest first."""

    async def chunk(self, snapshot: int, number: int) -> bytes:
        """One chunk."""


class Checksum:
    """The checksum of a snapshot, fed chunk by chunk."""

    def __init__(self) -> None:
        self._chunks = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """The next chunk."""
        self._chunks.update(data)

    def of(self, facts: Facts) -> str:
        """Of these facts and the chunks so far."""
        named = msgspec.structs.replace(facts, checksum=self._chunks.hexdigest())
        return hashlib.sha256(msgspec.json.encode(named)).hexdigest()


@lru_cache(maxsize=1)
def version() -> str:
    """SHA-256 (hex) of the sources of `daemon.domain`, names and bytes."""
    folder = Path(daemon.domain.__file__).parent
    return version_of(folder, sorted(folder.rglob("*.py")))


def version_of(folder: Path, sources: Iterable[Path], unknown: Callable[[], str] = clock.random_id) -> str:
    """The version of these sources; of none at all it is never the same twice."""
    digest = None
    for path in sources:
        data = path.read_bytes()
        digest = digest or hashlib.sha256()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
    return unknown() if digest is None else digest.hexdigest()

"""The input ids that a tape has seen: the only thing that deduplicates."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from daemon.domain.undo import Undo
from daemon.domain.values import InputId

KEEP_MS: Final = 24 * 3600 * 1000
"""How long an id is kept, by the trader's `now`."""
KEEP_COUNT: Final = 100_000
"""How many of the newest ids are kept however old they are."""
BLOCK: Final = 1_024
"""Ids kept together."""


class First(msgspec.Struct, frozen=True, gc=False):
    """The first input of an id."""

    offset: int
    hash: str
    number: int


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An id with its first input, and `now` at that."""

    id: InputId
    at: int
    first: First


class Stretch(NamedTuple):
    """Ids of one block that counted when somebody asked. They stay in it, whatever is seen or forgotten."""

    block: list[Seen]
    start: int
    end: int

    def ids(self) -> Iterator[Seen]:
        """The ids, oldest first."""
        return islice(self.block, self.start, self.end)


class SeenIds:
    """Ids seen, oldest first. What has left the window is forgotten at the same input in every run.

    They lie in blocks that only grow: whoever writes them down while others are seen takes references to the
    blocks, however many ids there are.
    """

    def __init__(self, undo: Undo) -> None:
        self._undo = undo
        self._firsts: dict[InputId, First] = {}
        self._blocks: deque[list[Seen]] = deque()
        self._base = 0
        """The number of the first block's first id."""
        self._next = 0
        """The number of the next id."""
        self._removed = 0
        """How many ids have been freed."""
        self.forgotten = 0
        """How many of the oldest ids no longer count."""

    def __len__(self) -> int:
        """Ids that still count."""
        return self._next - self.forgotten

    def get(self, input_id: InputId) -> First | None:
        """The first input of an id, if that is still kept."""
        first = self._firsts.get(input_id)
        return None if first is None or first.number < self.forgotten else first

    def stretches(self) -> list[Stretch]:
        """The ids that count. Later ones do not change it, unless some of these are taken back."""
        place = self.forgotten - self._base
        found = []
        for number, block in enumerate(islice(self._blocks, place // BLOCK, None)):
            start = place % BLOCK if number == 0 else 0
            found.append(Stretch(block, start, len(block)))
        return found

    def remember(self, input_id: InputId, offset: int, body_hash: str, now: int) -> None:
        """Note a new id, and forget the oldest beyond the window."""
        first = First(offset, body_hash, self._next)
        self._undo.put(self._firsts, input_id, first)
        self._append(Seen(input_id, now, first))
        self._undo.call(self._take_back)
        forgotten = self.forgotten
        while self._next - forgotten > KEEP_COUNT and self._at(forgotten) < now - KEEP_MS:
            forgotten += 1
        if forgotten != self.forgotten:
            self._undo.set(self, "forgotten", forgotten)

    def restore(self, seen: Iterable[tuple[InputId, int, int, str]]) -> None:
        """Note ids with `now`, offset and hash as they counted elsewhere, oldest first; for good."""
        for input_id, at, offset, body_hash in seen:
            first = self._firsts[input_id] = First(offset, body_hash, self._next)
            self._append(Seen(input_id, at, first))

    def compact(self, forgotten: int | None = None) -> None:
        """Free what no longer counts, or the first `forgotten` of it: what a commit has made final."""
        while self._removed < (self.forgotten if forgotten is None else forgotten):
            place = self._removed - self._base
            input_id = self._blocks[0][place].id
            first = self._firsts.get(input_id)
            if first is not None and first.number == self._removed:
                del self._firsts[input_id]
            self._removed += 1
            if place == BLOCK - 1:
                self._blocks.popleft()
                self._base += BLOCK

    def _append(self, seen: Seen) -> None:
        if self._next % BLOCK == 0:
            self._blocks.append([])
        self._blocks[-1].append(seen)
        self._next += 1

    def _take_back(self) -> None:
        self._blocks[-1].pop()
        if not self._blocks[-1]:
            self._blocks.pop()
        self._next -= 1

    def _at(self, number: int) -> int:
        place = number - self._base
        return self._blocks[place // BLOCK][place % BLOCK].at

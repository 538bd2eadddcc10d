"""The input ids that a tape has seen: the only thing that deduplicates."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from daemon.domain.undo import Undo
from daemon.domain.values import InputId

KEEP_MS: Final = 24 * 3600 * 1000
"""How long an id is kept, by the trader's `now`."""
KEEP_COUNT: Final = 100_000
"""How many of the newest ids are kept however old they are."""


class First(msgspec.Struct, frozen=True, gc=False):
    """The first input of an id."""

    offset: int
    hash: str
    number: int


class SeenIds:
    """Ids seen, oldest first. What has left the window is forgotten at the same input in every run."""

    def __init__(self, undo: Undo) -> None:
        self._undo = undo
        self._firsts: dict[InputId, First] = {}
        self._order: deque[tuple[InputId, int]] = deque()
        self._removed = 0
        """How many ids have left `_order` for good."""
        self.forgotten = 0
        """How many of the oldest ids no longer count."""

    def __len__(self) -> int:
        """Ids that still count."""
        return self._removed + len(self._order) - self.forgotten

    def get(self, input_id: InputId) -> First | None:
        """The first input of an id, if that is still kept."""
        first = self._firsts.get(input_id)
        return None if first is None or first.number < self.forgotten else first

    def remember(self, input_id: InputId, offset: int, body_hash: str, now: int) -> None:
        """Note a new id, and forget the oldest beyond the window."""
        number = self._removed + len(self._order)
        self._undo.put(self._firsts, input_id, First(offset, body_hash, number))
        self._order.append((input_id, now))
        self._undo.call(self._order.pop)
        place = self.forgotten - self._removed
        if len(self) > KEEP_COUNT and self._order[place][1] < now - KEEP_MS:
            forgotten = self.forgotten
            while len(self._order) - place > KEEP_COUNT and self._order[place][1] < now - KEEP_MS:
                place += 1
                forgotten += 1
            self._undo.set(self, "forgotten", forgotten)

    def compact(self, forgotten: int | None = None) -> None:
        """Free what no longer counts, or the first `forgotten` of it: what a commit has made final."""
        while self._removed < (self.forgotten if forgotten is None else forgotten):
            input_id, _ = self._order.popleft()
            first = self._firsts.get(input_id)
            if first is not None and first.number == self._removed:
                del self._firsts[input_id]
            self._removed += 1

"""The trader's only timer: when to append `TimePassed`.

Time comes from the tape. Between inputs the process measures by its monotonic clock from the last time it
read, and when a deadline must have come it appends a reminder, one under way at a time.
"""

from __future__ import annotations

from typing import Final

from daemon import clock

TOO_EARLY_SECONDS: Final = 0.05
"""A reminder that came too early is followed no sooner than this."""


class Deadline:
    """Estimates the log's clock from the last time that was read from it."""

    def __init__(self) -> None:
        self._at: int | None = None
        """None until something was read: then nobody knows the log's time, and a reminder asks for it."""
        self._read = clock.monotonic()
        self._appended: int | None = None
        """Tape offset of the reminder under way."""
        self._not_before = 0.0

    def read(self, offset: int, at: int) -> None:
        """Note the newest input that was read."""
        self._at = at
        self._read = clock.monotonic()
        if self._appended is not None and offset >= self._appended:
            self._appended = None
            self._not_before = self._read + TOO_EARLY_SECONDS

    def seconds_left(self, deadline: int | None) -> float:
        """How long until a reminder should be appended; a second at most, as every wait ends by then."""
        if deadline is None or self._appended is not None:
            return 1.0
        now = clock.monotonic()
        if self._at is None:
            return 0.0
        left = (deadline - self._at) / 1000 - (now - self._read)
        return min(1.0, max(left, self._not_before - now, 0.0))

    def appended(self, offset: int) -> None:
        """Note that a reminder is under way."""
        self._appended = offset

"""What a log engine must do. One contract suite (`tests/contract/test_logs.py`) holds for all engines.

A log has tapes 0…T−1. Each has a tape (inputs, appended by anybody) and a journal (entries, committed only by
the holder of its claim). Offsets start at 0 in both. Inputs and entries are bytes here; `daemon/records.py`
knows what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from daemon.records import JournalRecord, Sealed, TapeRecord

WAIT_SECONDS_MAX = 1.0
"""Every wait reads again after this time even if no wake-up came."""


class ClaimHeld(Exception):
    """Somebody else holds the claim of this tape; the message names the holder."""


class Fenced(Exception):
    """The claim, or the head it expected, is no longer the log's: a later claim has fenced this one."""


class OutcomeUnknown(Exception):
    """The connection broke between sending and the answer: it may have been stored or not."""


class LogUnavailable(Exception):
    """The log cannot be reached now; nothing was stored by this call."""


class Appended(NamedTuple):
    """Where an append went: the offset of its first input (the others follow without a gap) and its time."""

    first: int
    at: int


class JournalPage(NamedTuple):
    """Records of whole entries, and the tape offset that the journal had reached when they were read.

    `reached` is read in the same snapshot as the records; it belongs to the end of this page only if
    `complete`, else to a later one: the caller has then not yet passed it.
    """

    records: Sequence[JournalRecord]
    reached: int
    complete: bool


class Head(NamedTuple):
    """The ends of one tape. Offsets of the last stored record (−1: none); `reached` as last committed."""

    tape: int
    journal: int
    reached: int
    epoch: int


class Claim(NamedTuple):
    """The right to commit to one tape's journal, until a later claim fences it."""

    tape: int
    epoch: int
    journal: int
    """Offset of the journal's last record when it was claimed (−1: none)."""
    reached: int
    """Tape offset that the journal had reached when it was claimed (−1: none)."""


class LogEnd(NamedTuple):
    """Where a reader stands: the last record of the journal, the tape offset reached, that record's hash."""

    journal: int
    reached: int
    hash: str


class Log(Protocol):
    """The machinery that stores tapes and journals."""

    @property
    def tapes(self) -> int:
        """T, the number of tapes."""

    async def append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        """Append inputs in one transaction; durable when it returns. One time for all of them.

        Raises `LogUnavailable` (nothing stored) or `OutcomeUnknown` (append the same inputs again: their
        ids make the second copy harmless).
        """

    async def claim(self, tape: int, holder: str) -> Claim:
        """Take the tape's claim and fence every earlier one; `holder` is told to whom it is refused.

        Raises `ClaimHeld` while another live process holds it, `LogUnavailable`.
        """

    async def release(self, claim: Claim) -> None:
        """Give the claim up, so that another can take it at once."""

    async def commit(self, claim: Claim, journal: int, reached: int, entries: Sequence[Sealed]) -> int:
        """Append entries and set `reached`, atomically; returns the journal's last offset.

        `journal` is the expected last offset. Raises `Fenced` if that or the epoch has moved (nothing is
        stored), `LogUnavailable` (nothing is stored), `OutcomeUnknown` (`settle`, then read back).
        """

    async def settle(self, claim: Claim) -> Claim:
        """Make sure of what was committed under a claim; the claim to go on with, with the ends as they are.

        A commit of unknown outcome then stands in the journal, or can no longer get into it beside a later
        one. Raises `Fenced` if another claim has followed, `LogUnavailable`.
        """

    async def read_tape(self, tape: int, after: int, limit: int) -> Sequence[TapeRecord]:
        """Up to `limit` inputs behind offset `after`, in order and without a gap."""

    async def read_journal(self, tape: int, after: int, limit: int) -> JournalPage:
        """Records behind journal offset `after`, whole entries only: about `limit`, more to end an entry.

        At least one entry if there is any.
        """

    async def wait_tape(self, tape: int, after: int, seconds: float) -> None:
        """Return when the tape holds an input behind `after`, or after `seconds` (at most 1 s)."""

    async def wait_journal(self, tape: int, after: int, reached: int, seconds: float) -> None:
        """Return when the journal has a record behind `after`, or is past `reached`, or after `seconds`."""

    async def head(self, tape: int) -> Head:
        """The ends of tape and journal, in one snapshot."""

    async def close(self) -> None:
        """Give up claims and connections."""

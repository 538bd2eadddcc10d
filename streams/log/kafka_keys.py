"""The key of a journal record on Kafka: where it stands, in decimal numbers parted by spaces.

Kafka's own offsets also count the marks of transactions and what was aborted, so ours stand in the key:
`OFFSET TAPE_OFFSET`, and on the last record of each commit `OFFSET TAPE_OFFSET REACHED EPOCH`. A commit
without entries is one record without a value, whose OFFSET is that of the last record before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from daemon.records import BrokenChain, JournalRecord, Sealed


class End(NamedTuple):
    """The end of the journal after a commit."""

    journal: int = -1
    reached: int = -1
    epoch: int = 0


class Stored(NamedTuple):
    """One record as read: what it holds if anything, and the end of its commit if it is the last one."""

    record: JournalRecord | None
    end: End | None


def records_of(entries: Sequence[Sealed], end: End) -> list[tuple[bytes, bytes | None]]:
    """Keys and values of one commit, after which the journal ends so."""
    parts = [(entry.tape_offset, part) for entry in entries for part in entry.parts]
    if not parts:
        return [(b"%d -1 %d %d" % end, None)]
    first = end.journal - len(parts) + 1
    stored: list[tuple[bytes, bytes | None]] = [
        (b"%d %d" % (offset, tape_offset), part) for offset, (tape_offset, part) in enumerate(parts, first)
    ]
    key, value = stored[-1]
    stored[-1] = (b"%b %d %d" % (key, end.reached, end.epoch), value)
    return stored


def read_key(place: int, key: bytes | None, value: bytes | None) -> Stored:
    """What a record of Kafka's offset `place` is. Raises `BrokenChain` if it is none of ours."""
    try:
        offset, tape_offset, *rest = map(int, (key or b"").split())
        end = End(offset, *rest) if rest else None
    except (ValueError, TypeError):
        raise BrokenChain(f"Kafka's offset {place}: {key!r} is no key of a journal record") from None
    record = None if value is None else JournalRecord(offset, tape_offset, value)
    if record is None and end is None:
        raise BrokenChain(f"Kafka's offset {place}: a journal record without a value")
    return Stored(record, end)

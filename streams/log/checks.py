"""What every engine asks of its caller before it stores anything."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.records import Sealed


def check_append(inputs: Sequence[bytes]) -> None:
    """An append holds at least one input: it answers with the offset of the first."""
    if not inputs:
        raise ValueError("nothing to append")


def check_commit(reached: int, entries: Sequence[Sealed]) -> int:
    """The tape offset that must lie behind the one reached so far, for this commit to follow.

    Entries lie in tape order and none behind `reached`. As no two have the same tape offset, records that
    stand together with one tape offset are one entry: readers find its end by that.
    """
    last = -1
    for entry in entries:
        if entry.tape_offset <= last:
            raise ValueError(f"entry {entry.tape_offset} does not follow entry {last}")
        if not entry.parts:
            raise ValueError(f"entry {entry.tape_offset} has no parts")
        last = entry.tape_offset
    if last > reached:
        raise ValueError(f"entry {last} lies behind the offset reached, {reached}")
    return entries[0].tape_offset if entries else reached + 1

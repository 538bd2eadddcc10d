"""Deciding one input for a batch, in steps between which others may run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from daemon.domain.events import AnyEvent
from daemon.domain.inputs import decide_input
from daemon.domain.tape import Tape
from daemon.records import Sealed, TapeRecord, decode_input, encode, encode_events, seal, sealing
from streams.stages.batch import Batch
from streams.stages.breath import Breath

ENCODE_AT_ONCE: Final = 100
"""Events encoded between two looks at the clock."""


async def decide(tape: Tape, record: TapeRecord, batch: Batch, breath: Breath) -> None:
    """Decide one input and put its entry, if it gets one, into the batch.

    Raises `UnreadableRecord` or `BrokenInvariant`; the tape must then be rolled back.
    """
    steps = decide_input(tape, record.offset, record.at, decode_input(record))
    events: list[AnyEvent] | None
    while True:
        try:
            next(steps)
        except StopIteration as done:
            events = done.value
            break
        if breath.is_due():
            await breath.take()
    if events is not None:
        await add_entry(batch, record.offset, tape.now, events, breath)
    batch.reached = record.offset


async def add_entry(batch: Batch, offset: int, now: int, events: Sequence[AnyEvent], breath: Breath) -> None:
    """Encode an entry and chain it to the batch; a large one part by part."""
    if len(events) <= ENCODE_AT_ONCE:
        sealed = seal(batch.hash, offset, now, encode_events(events))
    else:
        sealed = await _seal_large(batch.hash, offset, now, events, breath)
    batch.hash = sealed.hash
    batch.entries.append(sealed)
    batch.events.extend(events)


async def _seal_large(prev: str, offset: int, now: int, events: Sequence[AnyEvent], breath: Breath) -> Sealed:
    encoded: list[bytes] = []
    for start in range(0, len(events), ENCODE_AT_ONCE):
        encoded.extend(map(encode, events[start : start + ENCODE_AT_ONCE]))
        if breath.is_due():
            await breath.take()
    steps = sealing(prev, offset, now, encoded)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            sealed: Sealed = done.value
            return sealed
        if breath.is_due():
            await breath.take()

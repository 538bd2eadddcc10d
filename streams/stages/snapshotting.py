"""When the trader's state is written down: after some time, after many inputs, after a start that took long.

The trader gives references to its state at a moment when what it has decided is committed, or, in a backlog,
with the batch that is just being committed; a task writes them down beside it.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import structlog

from daemon import clock
from daemon.domain.freezing import Copy, copy
from daemon.domain.tape import Tape
from daemon.metrics import Metrics
from streams.log.contract import LogEnd, LogUnavailable
from streams.snapshots.contract import Snapshot, SnapshotsFailed, SnapshotStore
from streams.snapshots.writing import write
from streams.stages.batch import Batch
from streams.stages.start import Folded

START_SECONDS: Final = 1.0
"""A start that took longer is followed by a snapshot, so that the next one does not."""
REST: Final = 20
"""After a snapshot that took a second there is none for so many seconds, whatever the pace says."""
RETRY_SECONDS: Final = 10.0
"""After one that failed."""

_log = structlog.get_logger("trader")


class Pace(NamedTuple):
    """How often; 0: never for this reason."""

    seconds: float = 0.0
    inputs: int = 0
    """Inputs, or events where those are more."""


class Snapshotter:
    """Writes the snapshots of one tape while this process trades it. Without a store it does nothing."""

    def __init__(
        self, number: int, metrics: Metrics, store: SnapshotStore | None = None, pace: Pace | None = None
    ) -> None:
        self.store = store
        self._number = number
        self._metrics = metrics
        self._pace = pace or Pace()
        self._last = clock.monotonic()
        self._not_before = 0.0
        self._reached = -1
        """Of the newest snapshot, or where nothing has changed since the start."""
        self._end = -1
        """Tape offset that is committed."""
        self._inputs = 0
        self._events = 0
        self._is_due_at_once = False
        self._writing: asyncio.Task[None] | None = None

    def begin(self, folded: Folded, seconds: float) -> None:
        """Note where the trader begins, and how long it took to get there."""
        found = folded.snapshot
        if found is not None:
            self._show(found)
        begun = -1 if found is None else found.facts.reached
        self._last = clock.monotonic()
        self._not_before = 0.0
        self._reached = begun
        self._end = folded.reached
        self._inputs, self._events = folded.reached - begun, 0
        self._is_due_at_once = seconds > START_SECONDS and any(self._pace)
        _log.info(
            "folded",
            tape=self._number,
            reached=folded.reached,
            journal=folded.journal,
            agents=len(folded.tape.agents),
            snapshot=None if found is None else begun,
            seconds=round(seconds, 3),
        )

    def copy_if_due(self, tape: Tape) -> Copy | None:
        """The state with all that is decided, if it should be written down once that is committed."""
        return copy(tape) if self._is_due() else None

    def committed(self, batch: Batch, end: LogEnd) -> None:
        """Note a batch that was committed; its state is written down if it brought it along."""
        self._inputs += end.reached - self._end
        self._events += len(batch.events)
        self._end = end.reached
        if batch.state is not None and self._writing is None:
            self._write(batch.state, end)

    def offer(self, tape: Tape, end: LogEnd) -> None:
        """Write the state down if that is due: nothing is decided that is not committed."""
        self._end = end.reached
        if end.reached > self._reached and self._is_due():
            self._write(copy(tape), end)

    async def close(self) -> None:
        """Give up what is being written, and what is shown."""
        task, self._writing = self._writing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._hide()

    def _is_due(self) -> bool:
        now = clock.monotonic()
        if self.store is None or self._writing is not None or now < self._not_before:
            return False
        seconds, inputs = self._pace
        return (
            self._is_due_at_once
            or (seconds > 0 and now - self._last >= seconds)
            or (inputs > 0 and max(self._inputs, self._events) >= inputs)
        )

    def _write(self, state: Copy, end: LogEnd) -> None:
        self._is_due_at_once = False
        self._last = clock.monotonic()
        self._inputs = self._events = 0
        self._reached = end.reached
        self._writing = asyncio.create_task(self._written(state, end), name="snapshot")

    async def _written(self, state: Copy, end: LogEnd) -> None:
        assert self.store is not None  # noqa: S101 - nothing is due without one
        try:
            made = await write(self.store, self._number, state, end)
        except (SnapshotsFailed, LogUnavailable) as error:
            _log.warning("snapshot failed", tape=self._number, reached=end.reached, error=str(error))
            self._metrics.snapshot_failures.inc()
            self._not_before = clock.monotonic() + RETRY_SECONDS
            self._is_due_at_once = True
        else:
            self._not_before = clock.monotonic() + REST * made.seconds
            self._show(made)
            _log.info(
                "snapshot",
                tape=self._number,
                reached=end.reached,
                bytes=made.facts.bytes,
                seconds=round(made.seconds, 3),
            )
        finally:
            self._writing = None

    def _show(self, made: Snapshot) -> None:
        metrics, tape = self._metrics, str(self._number)
        made_at = clock.monotonic() - max(0, clock.now_ms() - made.made_at) / 1000
        metrics.snapshot_offset.labels(tape).set(made.facts.reached)
        metrics.snapshot_bytes.labels(tape).set(made.facts.bytes)
        metrics.snapshot_seconds.labels(tape).set(made.seconds)
        metrics.snapshot_age_seconds.labels(tape).set_function(lambda: clock.monotonic() - made_at)

    def _hide(self) -> None:
        metrics = self._metrics
        for each in (
            metrics.snapshot_offset,
            metrics.snapshot_bytes,
            metrics.snapshot_seconds,
            metrics.snapshot_age_seconds,
        ):
            each.remove_by_labels({"tape": str(self._number)})

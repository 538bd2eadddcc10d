"""The projector: reads tape and journal in tape order and keeps one tape's read models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import structlog

from daemon.database import Database, DatabaseUnreachable
from daemon.domain.values import use_context
from daemon.records import TapeRecord
from projections.folding import Folder
from projections.inputs import INPUTS
from projections.merging import FoldFailed, Merge, fold
from projections.model import SCHEMA
from projections.progress import START, Progress
from projections.writer import Writer
from streams.log.contract import WAIT_SECONDS_MAX, Log, LogUnavailable

STAGE: Final = "projector"
INPUTS_MAX: Final = 1_000
"""Inputs folded into one write."""
RETRY_SECONDS_MIN: Final = 0.05
RETRY_SECONDS_MAX: Final = 2.0

_PASSING: Final = (
    # What another try may find mended: the connection, the server, its space or memory, a lock.
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    DatabaseUnreachable,
    LogUnavailable,
    OSError,
    TimeoutError,
)

OnHalt = Callable[[str, int, int, Exception], Awaitable[None]]
"""Told of a halt: stage, tape, tape offset, error."""


class Projector:
    """One tape's projector. `progress` is told of every write, `on_halt` once of what it cannot fold."""

    def __init__(
        self,
        log: Log,
        tape: int,
        database: Database,
        progress: Progress,
        on_halt: OnHalt,
        *,
        schema: str = SCHEMA,
    ) -> None:
        self.reached = START
        """What is stored: offsets, and the log's time there."""
        self.events = 0
        self.ignored = 0
        """Journal records of a tape offset passed before."""
        self._log = log
        self._tape = tape
        self._database = database
        self._progress = progress
        self._on_halt = on_halt
        self._schema = schema
        self._logger = structlog.get_logger(stage=STAGE, tape=tape)
        self._delay = RETRY_SECONDS_MIN

    async def run(self, stop: asyncio.Event) -> None:
        """Project until `stop` is set and the journal's end is reached.

        A halt is told once, and stays until `stop`. Raises `ProjectorSuperseded` when another projector has
        taken this tape over.
        """
        use_context()
        stopped = asyncio.create_task(stop.wait())
        failure: FoldFailed | None = None
        try:
            while True:
                try:
                    await self._session(stopped, None if failure is None else failure.offset - 1)
                    break
                except FoldFailed as error:
                    again, failure = failure is not None, error
                    if again:
                        break
                    # What lies before it is sound: fold that from the stored rows, and halt behind it.
                except _PASSING as error:
                    self._logger.warning("projection_interrupted", error=f"{type(error).__name__}: {error}")
                    # A crash takes rows and offsets back together: nothing is sure until they are read again.
                    self._progress.advance(self._tape, START.tape_offset)
                    await asyncio.wait((stopped,), timeout=self._delay)
                    self._delay = min(self._delay * 2, RETRY_SECONDS_MAX)
                    if stopped.done():
                        return
            if failure is not None:
                await self._halt(failure)
                await stopped
        finally:
            stopped.cancel()

    async def _session(self, stopped: asyncio.Task[Any], until: int | None) -> None:
        """Project on one connection, up to the offset `until` or until stopped."""
        connection = await self._database.session(f"tapefold {STAGE} {self._tape}")
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def lose(_: Any) -> None:
            if not lost.done():
                lost.set_result(None)

        connection.add_termination_listener(lose)
        try:
            writer = await Writer.open(connection, self._schema, self._tape)
            self._advance(writer)
            folder = Folder(self._tape, await writer.load(), writer.reached.now)
            merge = Merge(self._log, self._tape, writer.reached)
            while True:
                records = await merge.read(INPUTS_MAX, until)
                if records:
                    await self._project(writer, folder, merge, records)
                elif stopped.done() or (until is not None and writer.reached.tape_offset >= until):
                    return
                if not records or merge.at_end:
                    # Returns at once if the journal has grown: who has all of it need not ask the database.
                    await self._wait(merge, stopped, lost)
        finally:
            connection.terminate()

    async def _project(
        self, writer: Writer, folder: Folder, merge: Merge, records: Sequence[TapeRecord]
    ) -> None:
        ignored, events = merge.ignored, folder.events
        await fold(merge, folder, records)
        try:
            batch = folder.take()
            await writer.write(batch, merge.reached(folder.now))
        except _PASSING:
            raise
        except asyncpg.PostgresError as error:
            raise FoldFailed(records[0].offset, error) from error
        self.ignored += merge.ignored - ignored
        self.events += folder.events - events
        self._delay = RETRY_SECONDS_MIN
        self._advance(writer, batch.rows.get(INPUTS))

    def _advance(self, writer: Writer, written: Mapping[Any, Any] | None = None) -> None:
        self.reached = writer.reached
        self._progress.advance(self._tape, writer.reached.tape_offset, written)

    async def _wait(self, merge: Merge, stopped: asyncio.Task[Any], lost: asyncio.Future[None]) -> None:
        waiting = asyncio.create_task(
            self._log.wait_journal(self._tape, merge.read_to, merge.upto, WAIT_SECONDS_MAX)
        )
        try:
            await asyncio.wait((waiting, stopped, lost), return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                raise DatabaseUnreachable("the connection was lost")
            if waiting.done():
                waiting.result()
        finally:
            waiting.cancel()

    async def _halt(self, failure: FoldFailed) -> None:
        cause = failure.__cause__
        error = cause if isinstance(cause, Exception) else failure
        self._logger.error("projector_halted", tape_offset=failure.offset, error=str(failure))
        await self._on_halt(STAGE, self._tape, failure.offset, error)

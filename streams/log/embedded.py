"""The log in two append-only tables of a Postgres: for one machine, and for small deployments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Self

import asyncpg

from daemon.database import Database
from daemon.records import JournalRecord, Sealed, TapeRecord
from streams.log import embedded_sql as sql
from streams.log.checks import check_append, check_commit
from streams.log.claim_locks import ClaimLocks
from streams.log.contract import Appended, Claim, Fenced, Head, JournalPage, LogUnavailable, OutcomeUnknown
from streams.log.embedded_calls import read, store
from streams.log.embedded_listener import Growth, Listener
from streams.log.embedded_partitions import Partitions
from streams.log.tail import JournalTail, Tail

TAIL_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of each tape, and again of each journal, kept in memory."""

STORE_TRIES_MAX: Final = 20
"""With partitions for hours, one that was just made is always there. Those of tests hold a few records."""


class EmbeddedLog:
    """A log in the schema `tape` of one Postgres; `open` makes it.

    The database stays its owner's to close. What this object stores it also keeps, so that readers in the
    same process need no query for it.
    """

    def __init__(self, database: Database, tapes: int, partition_offsets: int, tail_bytes: int) -> None:
        self._pool = database.pool
        self._inputs = [Tail[TapeRecord](tail_bytes) for _ in range(tapes)]
        self._journals = [JournalTail(tail_bytes) for _ in range(tapes)]
        self._growth = [Growth() for _ in range(tapes)]
        self._epochs: dict[int, int] = {}
        self._locks = ClaimLocks(database)
        self._partitions = Partitions(database.pool, partition_offsets)
        self._sessions: set[int] = set()
        self._listener = Listener(database, self._growth, self._sessions)

    @classmethod
    async def open(cls, database: Database, *, tail_bytes: int = TAIL_BYTES_MAX) -> Self:
        """The log of a migrated database. Raises `LogUnavailable`."""
        (settings,) = await read(database.pool, sql.SETTINGS)
        log = cls(database, settings["tapes"], settings["partition_offsets"], tail_bytes)
        await log.ensure_partitions()
        log._listener.start()
        return log

    @property
    def tapes(self) -> int:
        """T, the number of tapes."""
        return len(self._inputs)

    async def append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        """Append inputs in one transaction, all at one time; durable when it returns."""
        check_append(inputs)
        row = await self._store(
            len(inputs), sql.APPEND, tape, len(inputs), [data.decode() for data in inputs]
        )
        if row is None:
            raise ValueError(f"there is no tape {tape}")
        first, at = row["first"], row["at"]
        self._inputs[tape].add([TapeRecord(offset, at, data) for offset, data in enumerate(inputs, first)])
        end = first + len(inputs)
        self._growth[tape].tape_grew(end - 1)
        self._partitions.watch("inputs", end)
        return Appended(first, at)

    async def claim(self, tape: int, holder: str) -> Claim:
        """Take the tape's claim and fence every earlier one; `holder` is told to whom it is refused."""
        await self._locks.take(tape, holder)
        try:
            row = await self._store(0, sql.CLAIM, tape)
        except OutcomeUnknown as error:
            # Another epoch without a holder does no harm.
            raise LogUnavailable(str(error)) from error
        if row is None:
            raise ValueError(f"there is no tape {tape}")
        self._epochs[tape] = row["epoch"]
        # Others may have committed meanwhile: whoever claims folds what the database holds.
        self._journals[tape].clear()
        await self.ensure_partitions()
        return Claim(tape, row["epoch"], row["journal"], row["reached"])

    async def release(self, claim: Claim) -> None:
        """Give the claim up, so that another can take it at once. A fenced one has nothing to give."""
        if self._epochs.get(claim.tape) == claim.epoch:
            del self._epochs[claim.tape]
            await self._locks.give(claim.tape)

    async def commit(self, claim: Claim, journal: int, reached: int, entries: Sequence[Sealed]) -> int:
        """Append entries and set `reached`, atomically; returns the journal's last offset."""
        behind = check_commit(reached, entries)
        parts = [(entry.tape_offset, part) for entry in entries for part in entry.parts]
        offsets = [tape_offset for tape_offset, _ in parts]
        texts = [data.decode() for _, data in parts]
        row = await self._store(
            len(parts), sql.COMMIT, claim.tape, journal + 1, claim.epoch, reached, behind, offsets, texts
        )
        if row is None:
            raise Fenced(
                f"tape {claim.tape}: epoch {claim.epoch} expected the journal to end at {journal}"
                f" and to have reached less than {behind}; it is not so any more"
            )
        last: int = row["last"]
        self._journals[claim.tape].commit(
            last, reached, [JournalRecord(offset, *part) for offset, part in enumerate(parts, journal + 1)]
        )
        self._growth[claim.tape].journal_grew(last, reached)
        self._partitions.watch("entries", last + 1)
        return last

    async def settle(self, claim: Claim) -> Claim:
        """The claim with the ends as they are.

        A commit whose answer was lost may still be under way: whatever is committed instead of it names the
        head that it would move, so only one of the two gets in.
        """
        head = await self.head(claim.tape)
        if head.epoch != claim.epoch:
            raise Fenced(f"tape {claim.tape}: a later claim holds epoch {head.epoch}")
        return Claim(claim.tape, claim.epoch, head.journal, head.reached)

    async def read_tape(self, tape: int, after: int, limit: int) -> Sequence[TapeRecord]:
        """Up to `limit` inputs behind offset `after`, in order and without a gap."""
        tail = self._inputs[tape]
        start = tail.after(after)
        if start is not None:
            return tail.records[start : start + limit]
        rows = await read(self._pool, sql.READ_TAPE, tape, after, limit)
        return [TapeRecord(offset, at, data.encode()) for offset, at, data in rows]

    async def read_journal(self, tape: int, after: int, limit: int) -> JournalPage:
        """Records behind journal offset `after`, whole entries only."""
        page = self._journals[tape].page(after, limit)
        if page is not None:
            return page
        rows = await read(self._pool, sql.READ_JOURNAL, tape, after, max(limit, 1))
        if not rows:
            raise ValueError(f"there is no tape {tape}")
        last, reached = rows[0]["last"], rows[0]["reached"]
        records = [
            JournalRecord(offset, tape_offset, data.encode())
            for _, _, offset, tape_offset, data in rows
            if offset is not None
        ]
        end = records[-1].offset if records else after
        return JournalPage(records, reached, complete=end >= last)

    async def wait_tape(self, tape: int, after: int, seconds: float) -> None:
        """Return when the tape holds an input behind `after`, or after `seconds` (at most 1 s)."""
        growth = self._growth[tape]
        await growth.tape_bell.wait(lambda: growth.tape > after, seconds)

    async def wait_journal(self, tape: int, after: int, reached: int, seconds: float) -> None:
        """Return when the journal holds a record behind `after` or has passed `reached`, or in time."""
        growth = self._growth[tape]
        await growth.journal_bell.wait(lambda: growth.journal > after or growth.reached > reached, seconds)

    async def head(self, tape: int) -> Head:
        """The ends of tape and journal, in one snapshot."""
        rows = await read(self._pool, sql.HEAD, tape)
        if not rows:
            raise ValueError(f"there is no tape {tape}")
        return Head(*rows[0])

    async def ensure_partitions(self) -> None:
        """Make the partitions that the heads need, and the next ones. Raises `LogUnavailable`."""
        await self._partitions.ensure()

    async def close(self) -> None:
        """Give up claims and the sessions of this log; the pool is its owner's."""
        await asyncio.gather(self._listener.stop(), self._locks.close(), self._partitions.close())

    async def _store(self, records: int, statement: str, *arguments: Any) -> asyncpg.Record | None:
        for _ in range(STORE_TRIES_MAX):
            try:
                return await store(self._pool, self._sessions, statement, *arguments)
            except asyncpg.CheckViolationError:
                # No partition holds such an offset: the one ahead did not come in time. Nothing was stored.
                await self._partitions.ensure(records)
        raise LogUnavailable(f"others store faster than partitions are made, {STORE_TRIES_MAX} times")

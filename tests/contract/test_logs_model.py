"""Every engine against the simplest model: two lists a tape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.records import JournalRecord, Sealed, TapeRecord
from streams.log.contract import Claim, ClaimHeld, Fenced, Head, JournalPage, Log
from tests.support.logs import TAPES, Engine

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["append", "append", "commit", "commit", "commit", "claim", "release", "read", "read"]
        ),
        st.integers(0, 1),  # which of two logs
        st.integers(0, TAPES - 1),
        st.integers(0, 6),  # how many, or how far
        st.integers(1, 4),  # parts of an entry, or limit
        st.sampled_from([0, 0, 0, 0, -1, 1]),  # how wrong the expected head is
    ),
    min_size=5,
    max_size=60,
)


class Model:
    def __init__(self, head: Head, inputs: list[TapeRecord], records: list[JournalRecord]) -> None:
        self.inputs, self.records = inputs, records
        self.reached, self.epoch = head.reached, head.epoch
        self.holder: int | None = None
        self.claims: dict[int, Claim] = {}

    def page(self, after: int, limit: int) -> JournalPage:
        end = min(after + 1 + limit, len(self.records))
        while end < len(self.records) and self.records[end].tape_offset == self.records[end - 1].tape_offset:
            end += 1
        return JournalPage(self.records[after + 1 : end], self.reached, end == len(self.records))


class Run:
    """One generated sequence, on logs that go on from the sequences before it."""

    def __init__(self, logs: tuple[Log, Log], models: list[Model], one_process: bool) -> None:
        self.logs, self.models, self.one_process = logs, models, one_process

    async def step(self, operation: tuple[Any, ...]) -> None:
        name, *arguments = operation
        await getattr(self, name)(*arguments)

    async def append(self, who: int, tape: int, count: int, size: int, _: int) -> None:
        model = self.models[tape]
        data = [f"{len(model.inputs)} {each} {'é' * size * 100}".encode() for each in range(count + 1)]
        first, at = await self.logs[who].append(tape, data)
        assert first == len(model.inputs)
        assert not model.inputs or at >= model.inputs[-1].at
        model.inputs += [TapeRecord(first + each, at, text) for each, text in enumerate(data)]

    async def claim(self, who: int, tape: int, *_: int) -> None:
        model = self.models[tape]
        if model.holder not in {None, who} and not self.one_process:
            with pytest.raises(ClaimHeld):
                await self.logs[who].claim(tape, "model")
            return
        claim = await self.logs[who].claim(tape, "model")
        model.holder, model.epoch = who, model.epoch + 1
        assert claim == Claim(tape, model.epoch, len(model.records) - 1, model.reached)
        model.claims[who] = claim

    async def release(self, who: int, tape: int, *_: int) -> None:
        model = self.models[tape]
        claim = model.claims.get(who)
        if claim is not None:
            await self.logs[who].release(claim)
            if model.holder == who:
                model.holder = None

    async def commit(self, who: int, tape: int, count: int, parts: int, wrong: int) -> None:
        model = self.models[tape]
        claim = model.claims.get(who)
        if claim is None:
            return
        head, first = len(model.records) - 1, model.reached + 1
        entries = [
            Sealed(first + 2 * each, tuple(f"{first} {each} {part}".encode() for part in range(parts)), "")
            for each in range(count)
        ]
        reached = max(model.reached, first + 2 * count - 2)
        committing = self.logs[who].commit(claim, head + wrong, reached, entries)
        if wrong or claim.epoch != model.epoch:
            with pytest.raises(Fenced):
                await committing
            return
        for entry in entries:
            for part in entry.parts:
                model.records.append(JournalRecord(len(model.records), entry.tape_offset, part))
        model.reached = reached
        assert await committing == len(model.records) - 1

    async def read(self, who: int, tape: int, back: int, limit: int, _: int) -> None:
        model, log = self.models[tape], self.logs[who]
        after = max(len(model.inputs) - 1 - 3 * back, -1)
        expected: list[TapeRecord] = model.inputs[after + 1 : after + 1 + limit]
        records = await log.read_tape(tape, after, limit)
        assert list(records) == expected[: len(records)]
        assert bool(records) == bool(expected)
        ends = [-1, *(r.offset for r in model.records if not self._goes_on(model, r))]
        await self._read_journal(model, log, tape, ends[max(len(ends) - 1 - back, 0)], limit)
        head = await log.head(tape)
        assert head == Head(len(model.inputs) - 1, len(model.records) - 1, model.reached, model.epoch)

    async def _read_journal(self, model: Model, log: Log, tape: int, after: int, limit: int) -> None:
        while True:
            page, expected = await log.read_journal(tape, after, limit), model.page(after, limit)
            assert list(page.records) == list(expected.records)[: len(page.records)]
            if page.complete and page.records != expected.records:
                # A page of an earlier moment, from the memory of a log that has been overtaken.
                assert page.reached < expected.reached
            elif page.complete:
                assert page.reached <= expected.reached
            if not page.records:
                assert page == expected
                return
            after = page.records[-1].offset

    @staticmethod
    def _goes_on(model: Model, record: JournalRecord) -> bool:
        behind = model.records[record.offset + 1 : record.offset + 2]
        return bool(behind) and behind[0].tape_offset == record.tape_offset


async def test_an_engine_is_two_lists(engine: Engine) -> None:
    """Over any sequence of calls on two logs of one store, each answers as plain lists would."""
    logs = (await engine.open(), await engine.open())

    async def check(operations: list[tuple[Any, ...]]) -> None:
        models = []
        for tape in range(TAPES):
            head = await logs[0].head(tape)
            models.append(Model(head, await all_inputs(logs[1], tape), await all_records(logs[1], tape)))
        run = Run(logs, models, engine.one_process)
        for operation in operations:
            await run.step(operation)
        for who in range(2):
            for tape in range(TAPES):
                await run.read(who, tape, 5, 4, 0)
                await run.release(who, tape)

    await explore(check)


async def explore(check: Any) -> None:
    import asyncio

    loop = asyncio.get_running_loop()

    # Hypothesis calls plain functions: it lives in a thread, the logs on this loop.
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(operations=OPERATIONS)
    def explored(operations: list[tuple[Any, ...]]) -> None:
        asyncio.run_coroutine_threadsafe(check(operations), loop).result(60)

    await asyncio.to_thread(explored)


async def all_inputs(log: Log, tape: int) -> list[TapeRecord]:
    found: list[TapeRecord] = []
    while more := await log.read_tape(tape, len(found) - 1, 1000):
        found += more
    return found


async def all_records(log: Log, tape: int) -> list[JournalRecord]:
    found: list[JournalRecord] = []
    while more := (await log.read_journal(tape, len(found) - 1, 1000)).records:
        found += more
    return found

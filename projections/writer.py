"""Stores a batch and the offsets it reached as one statement, which begins by claiming the progress row.

Rows travel as JSON, one parameter a table: it costs a fifth of the time that arrays of numeric and uuid cost
here, and no more on the other side. Those of a large batch go by COPY, in one transaction with the claim.
Where the claim fails nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from daemon.domain.values import AgentId, Mint, Owner
from daemon.records import encode
from projections import copying, marks
from projections.batch import Batch, Upsert
from projections.folding import State
from projections.model import Holder, Model
from projections.progress import START, Reached

ROWS_TO_COPY: Final = 500
"""From here on COPY's further round trips cost less than what it saves: it is twice as fast a row."""
FIRST_STEP: Final = 10
"""Number of the first parameter that holds rows."""
ROWS_BETWEEN_BREATHS: Final = 400
"""About 1 ms of encoding."""

_SESSION: Final = (
    # Rows can be folded again, so a commit need not be on disk: a crash loses rows and progress together.
    "SET synchronous_commit = off",
    # Statements are few and alike: plan each once, by primary key, however small the table then is.
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET jit = off",
)


class ProjectorSuperseded(Exception):
    """Another projector of this tape has begun; this one must end."""


class _Step(NamedTuple):
    """One table's part of the statement: rows to insert, or patches of these columns."""

    model: Model[Any]
    columns: tuple[str, ...] | None
    rows: Sequence[Any]


class Writer:
    """Writes one tape's rows into one schema, on a connection of its own."""

    def __init__(self, connection: Any, schema: str, tape: int, generation: int, reached: Reached) -> None:
        self.reached = reached
        self.fills = False
        """Whether the tables are being filled anew: no row put is there yet, and nobody is served."""
        self._connection = connection
        self._schema = schema
        self._tape = tape
        self._generation = generation
        self._statements: dict[tuple[object, ...], Any] = {}
        """Prepared ones, by what their steps write; few, as inputs are alike."""

    @classmethod
    async def open(cls, connection: Any, schema: str, tape: int) -> Writer:
        """Take the tape's progress row over from any earlier writer."""
        for setting in _SESSION:
            await connection.execute(setting)
        row = await connection.fetchrow(
            f"INSERT INTO {schema}.progress AS p"
            " (tape, generation, journal_offset, tape_offset, hash, at, now)"
            " VALUES ($1, 1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (tape) DO UPDATE SET generation = p.generation + 1"
            " RETURNING generation, journal_offset, tape_offset, hash, at, now",
            tape,
            *START,
        )
        generation, *reached = row.values()
        return cls(connection, schema, tape, generation, Reached(*reached))

    async def load(self) -> State:
        """What the tables hold of a fold's state."""
        state, schema, tape = State(), self._schema, self._tape
        for row in await self._connection.fetch(
            f"SELECT id::text, owner, wallet_address FROM {schema}.agents WHERE tape = $1", tape
        ):
            state.agents[AgentId(row["id"])] = Holder(Owner(row["owner"]), row["wallet_address"])
        for row in await self._connection.fetch(
            f"SELECT id::text, agent_id::text FROM {schema}.positions WHERE tape = $1 AND exits_quarantined"
            " ORDER BY tape_offset, id",
            tape,
        ):
            state.stuck.setdefault(AgentId(row["agent_id"]), {})[row["id"]] = None
        for row in await self._connection.fetch(f"SELECT * FROM {schema}.marks WHERE tape = $1", tape):
            mark = marks.MARKS.read(row)
            state.prices[Mint(mark.mint)] = marks.prices_of(mark)
            if mark.decimals is not None:
                state.decimals[mark.mint] = mark.decimals
        return state

    async def write(self, batch: Batch, reached: Reached) -> None:
        """Store the rows and the offsets, both or nothing.

        Raises `ProjectorSuperseded` where another writer has taken over.
        """
        if batch.size < ROWS_TO_COPY and not self.fills:
            await self._store(batch.upserts(), batch, reached)
        else:
            async with self._connection.transaction():
                copied: list[Upsert] = []
                replaced: list[Upsert] = []
                for upsert in batch.upserts():
                    is_new = self.fills or not upsert[0].is_replaced
                    (copied if is_new else replaced).append(upsert)
                await self._store(replaced, batch, reached)
                # Behind the claim, which makes sure that none of these rows is there yet.
                await self._copy(copied)
        self.reached = reached

    async def _copy(self, upserts: Iterable[Upsert]) -> None:
        for model, rows in upserts:
            await self._connection.copy_to_table(
                model.name,
                schema_name=self._schema,
                columns=model.columns,
                source=copying.lines(rows, breathes=not self.fills),
                format="text",
                null=copying.NULL,
            )

    async def _store(self, upserts: Iterable[Upsert], batch: Batch, reached: Reached) -> None:
        steps = [_Step(model, None, rows) for model, rows in upserts]
        steps += [_Step(*update) for update in batch.updates()]
        # Whatever order folds made them in: one statement for the same steps.
        steps.sort(key=lambda step: (step.model.name, step.columns or ()))
        shape = tuple([(step.model, step.columns) for step in steps])
        statement = self._statements.get(shape)
        if statement is None:
            statement = await self._connection.prepare(self._statement(steps))
            self._statements[shape] = statement
        documents = [await _document(step.rows) for step in steps]
        last = self.reached
        claimed = await statement.fetchval(
            self._tape, self._generation, last.journal_offset, last.tape_offset, *reached, *documents
        )
        if not claimed:
            raise ProjectorSuperseded(
                f"tape {self._tape}: another projector has taken over behind tape offset {last.tape_offset}"
            )

    def _statement(self, steps: Sequence[_Step]) -> str:
        claim = (
            f"WITH claimed AS (UPDATE {self._schema}.progress SET journal_offset = $5, tape_offset = $6,"
            " hash = $7, at = $8, now = $9"
            " WHERE tape = $1 AND generation = $2 AND journal_offset = $3 AND tape_offset = $4"
            " RETURNING tape)"
        )
        parts = [claim]
        for number, step in enumerate(steps, FIRST_STEP):
            table = f"{self._schema}.{step.model.name}"
            source = f"claimed, json_populate_recordset(NULL::{table}, ${number}::json) r"
            if step.columns is None:
                sql = _insert(step.model, table, source)
            else:
                sql = _update(step.model, step.columns, table, source)
            parts.append(f"step_{number} AS ({sql})")
        return f"{', '.join(parts)} SELECT count(*) FROM claimed"


def _insert(model: Model[Any], table: str, source: str) -> str:
    sql = f"INSERT INTO {table} ({', '.join(map(_quoted, model.columns))}) SELECT r.* FROM {source}"
    if model.insert_only:
        return f"{sql} ON CONFLICT ({', '.join(model.key)}) DO NOTHING"
    if not model.is_replaced:
        # Its place in the statement, behind the claim, makes sure that the row is not there yet.
        return sql
    changes = [
        f"{_quoted(name)} = excluded.{_quoted(name)}" for name in model.columns if name not in model.key
    ]
    return f"{sql} ON CONFLICT ({', '.join(model.key)}) DO UPDATE SET {', '.join(changes)}"


def _update(model: Model[Any], columns: tuple[str, ...], table: str, source: str) -> str:
    changes = ", ".join(f"{_quoted(name)} = r.{_quoted(name)}" for name in columns)
    same = " AND ".join(f"t.{name} = r.{name}" for name in model.key)
    return f"UPDATE {table} t SET {changes} FROM {source} WHERE {same}"


def _quoted(name: str) -> str:
    return f'"{name}"'


async def _document(rows: Sequence[Any]) -> str:
    if len(rows) <= ROWS_BETWEEN_BREATHS:
        return _clean(encode(rows))
    parts = []
    for first in range(0, len(rows), ROWS_BETWEEN_BREATHS):
        some = rows[first : first + ROWS_BETWEEN_BREATHS]
        parts.append(_clean(encode(some))[1:-1])
        await asyncio.sleep(0)
    return f"[{','.join(parts)}]"


def _clean(data: bytes) -> str:
    # Postgres has no NUL in text. None comes past the API; if one ever does, it must not stop the projector.
    if rb"\u0000" in data:
        data = encode([_without_nul(row) for row in msgspec.json.decode(data)])
    return data.decode()


def _without_nul(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for name, value in row.items()
    }

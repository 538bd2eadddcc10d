"""Inputs that got an entry, and how each ended: a waiting request reads its own row here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Index, select

from daemon.domain.commands import Input
from daemon.domain.events import CommandDenied, InputDropped, InputRepeated
from daemon.domain.values import InputId, Owner
from daemon.records import Entry
from projections.model import Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, table


class InputRow(Row):
    """One input. `input_id` and what follows from the input are None where its bytes could not be read."""

    tape: Count
    tape_offset: Long
    outcome: str
    """`accepted`, `denied`, `repeated` or `dropped`."""
    at: Long
    input_id: InputId | None = None
    owner: Owner | None = None
    key: str | None = None
    """The id of the API key, or the stage for inputs of our own."""
    type: str | None = None
    """The name of the command."""
    route: str | None = None
    body_hash: str | None = None
    keyed: bool | None = None
    code: str | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None
    """The value that broke the rule; the operator's reason where it was dropped."""
    repeats: Long | None = None
    """The tape offset of the input that this one repeats."""
    same_body: bool | None = None


TABLE: Final = table("inputs", InputRow, ("tape", "tape_offset"))

Index("inputs_by_id", TABLE.c.input_id, TABLE.c.tape, TABLE.c.tape_offset)


INPUTS: Final = Model(TABLE, InputRow)
_OUTCOMES: Final = frozenset({InputRepeated, InputDropped, CommandDenied})


def row_of(tape: int, entry: Entry, asked: Input | None) -> InputRow:
    """The row of an input from its entry; `asked` is None where the bytes of a dropped input are no input."""
    if asked is None:
        row = InputRow(tape, entry.tape_offset, "accepted", entry.at)
    else:
        row = InputRow(
            tape,
            entry.tape_offset,
            "accepted",
            entry.at,
            asked.id,
            asked.actor.owner,
            asked.actor.key,
            type(asked.command).__name__,
            asked.route,
            asked.hash,
            asked.keyed,
        )
    for event in entry.events:
        if type(event) not in _OUTCOMES:
            continue
        match event:
            case InputRepeated():
                row.outcome = "repeated"
                row.repeats = event.first_offset
                row.same_body = event.same_body
            case InputDropped():
                row.outcome = "dropped"
                row.value = event.reason
            case CommandDenied():
                row.outcome = "denied"
                row.code = event.code
                row.rule, row.limit, row.value = event.rule, event.limit, event.value
            case _:
                pass
    return row


_INPUTS: Final = Query(
    select(*columns(TABLE)),
    INPUTS.read,
    filters=equals(TABLE, "tape", "tape_offset", "input_id", "owner"),
    order=(TABLE.c.tape, TABLE.c.tape_offset),
)


async def get_input(reader: Reader, tape: int, tape_offset: int) -> InputRow | None:
    """The input at an offset, if it got an entry."""
    return await _INPUTS.one(reader, tape=tape, tape_offset=tape_offset)


async def list_inputs(reader: Reader, input_id: str, *, limit: int = 1_000) -> list[InputRow]:
    """All inputs with this id, the first one first. An id follows from its owner, so it is no other's."""
    return await _INPUTS.all(reader, input_id=input_id, limit=limit)

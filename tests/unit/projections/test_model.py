from __future__ import annotations

from typing import Any

import msgspec
import pytest

from daemon.domain.events import (
    AnyAgentEvent,
    ClockSteppedBack,
    CommandDenied,
    InputDropped,
    InputRepeated,
    MintRegistered,
    PriceRefused,
    TapeEvent,
)
from projections.folding import PROJECTIONS
from projections.model import Model
from projections.schema import MODELS, fingerprint, indexes_ddl, tables_ddl


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_row_is_its_table(model: Model[Any]) -> None:
    """A row has its table's columns in order, None by default where, and only where, NULL may stand."""
    optional = {
        field.name for field in msgspec.structs.fields(model.row) if field.default is not msgspec.NODEFAULT
    }
    assert list(model.columns) == [column.name for column in model.table.columns]
    assert optional == {column.name for column in model.table.columns if column.nullable}
    assert all(field.default in {None, msgspec.NODEFAULT} for field in msgspec.structs.fields(model.row))


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_number_has_the_type_of_its_column(model: Model[Any]) -> None:
    """What a row holds as a number, a flag or a text, its column holds as one."""
    kinds = {"BIGINT": int, "INTEGER": int, "BOOLEAN": bool, "TEXT": str, "UUID": str}
    for field in msgspec.structs.fields(model.row):
        column = model.table.c[field.name]
        expected = column.info.get("read") or kinds[str(column.type)]
        assert expected.__name__ in str(field.type) or expected is str, field.name


def test_every_event_is_folded_or_known_to_be_of_inputs() -> None:
    """Each kind of event changes a read model; the exceptions are listed here."""
    folded = {kind for projection in PROJECTIONS for kind in projection.folds}
    # These make the row of the input, a mark's decimals, or repeat what the guard says again.
    elsewhere = {InputRepeated, InputDropped, CommandDenied, MintRegistered, PriceRefused, ClockSteppedBack}
    every = {*AnyAgentEvent.__args__, *TapeEvent.__args__}
    assert folded | elsewhere == every
    assert not folded & elsewhere


def test_another_schema_has_the_same_tables() -> None:
    """The statements for another schema differ in its name alone, so that two folds can be compared."""
    for statements in (tables_ddl, indexes_ddl):
        assert [text.replace("other.", "read.") for text in statements("other")] == statements("read")


def test_the_fingerprint_follows_from_the_sources() -> None:
    """The same sources give the same fingerprint, so that a restart does not rebuild."""
    assert fingerprint() == fingerprint()
    assert len(fingerprint()) == 64

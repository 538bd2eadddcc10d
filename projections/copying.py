"""Rows in the text format of Postgres' COPY, the quickest way into a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from msgspec.structs import astuple

from projections.model import Row

NULL: Final = "\x01N"
"""Stands for NULL. No text from outside holds a control character."""
ROWS_MAX: Final = 100

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\N{REPLACEMENT CHARACTER}"}
)


async def lines(rows: Sequence[Row], *, breathes: bool = True) -> AsyncIterator[bytes]:
    """The rows, some at a time, their values in the order of the row's fields."""
    tabs = len(rows[0].__struct_fields__) - 1
    for first in range(0, len(rows), ROWS_MAX):
        yield "".join([_line(row, tabs) for row in rows[first : first + ROWS_MAX]]).encode()
        if breathes:
            await asyncio.sleep(0)


def _line(row: Row, tabs: int) -> str:
    values = [
        NULL if value is None else value if type(value) is str else str(value) for value in astuple(row)
    ]
    line = "\t".join(values)
    if "\\" in line or "\n" in line or "\r" in line or "\0" in line or line.count("\t") != tabs:
        line = "\t".join([value.translate(_ESCAPES) for value in values])
    return f"{line}\n"

from __future__ import annotations

import pytest

from daemon.domain.values import Mint, Price
from projections.copying import NULL, ROWS_MAX, lines
from projections.marks import MarkRow


async def text(*rows: MarkRow) -> str:
    return b"".join([part async for part in lines(rows)]).decode()


async def test_a_row_is_a_line() -> None:
    """Values stand in the order of the row's fields, numbers in plain notation, None as the marker."""
    row = MarkRow(tape=0, mint=Mint("mint"), price=Price("1e-7"), at=5, source="")
    assert await text(row) == f"0\tmint\t0.0000001\t{NULL}\t{NULL}\t5\t\t{NULL}\t{NULL}\t{NULL}\n"


@pytest.mark.parametrize(
    ("given", "written"),
    [("a\tb", r"a\tb"), ("a\nb\r", r"a\nb\r"), (r"a\N", r"a\\N"), ("a\0b", "a\N{REPLACEMENT CHARACTER}b")],
)
async def test_what_would_end_a_value_is_escaped(given: str, written: str) -> None:
    """No text can break out of its column."""
    line = await text(MarkRow(tape=0, mint=Mint("mint"), source=given))
    assert line.count("\t") == 9
    assert line.split("\t")[6] == written


async def test_no_row_is_lost_between_parts() -> None:
    """More rows than go into one part all come, in order."""
    rows = [MarkRow(tape=number, mint=Mint("mint")) for number in range(2 * ROWS_MAX + 1)]
    assert [line.split("\t")[0] for line in (await text(*rows)).splitlines()] == [
        str(row.tape) for row in rows
    ]

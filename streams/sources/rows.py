"""The format of feed files: CSV lines of ticks or candles, each read into one reading.

`docs/feeds.md` is this format for people.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

import base58

from daemon.domain.commands import Reading
from daemon.domain.values import (
    SOL,
    SOL_DECIMALS,
    TOKEN_DECIMALS_MAX,
    Mint,
    Price,
    parse_decimal,
    parse_price,
    to_units,
)

TICK_COLUMNS: Final = ("time", "mint", "price")
CANDLE_COLUMNS: Final = ("time", "mint", "open", "high", "low", "close")
OPTIONAL_COLUMNS: Final = ("liquidity", "decimals")
HEADER_NEEDED: Final = (
    f"needed are {','.join(TICK_COLUMNS)} (ticks) or {','.join(CANDLE_COLUMNS)} (candles), "
    f"each with or without {' and '.join(OPTIONAL_COLUMNS)}"
)
HEADER_SHOWN: Final = 80
"""Characters of a wrong header that are quoted."""

_MINT_BYTES: Final = 32
_MINT: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)
# `Decimal` itself would also read "1_000", "1e999999" and digits of other scripts.
_NUMBER: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,15}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH_MS_MIN: Final = 100_000_000_000
"""March 1973. A smaller bare number is most likely in seconds: it would replay a thousand times too fast."""


class FeedError(Exception):
    """A feed file that cannot be replayed; the message is one line: file, line, what would be right."""


class Row(NamedTuple):
    """One line of a feed file."""

    time: int
    """Milliseconds since the epoch, by the file."""
    reading: Reading


def read_rows(name: str, source: str, lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a file, one after the other; `name` is what errors call the file.

    Raises `FeedError` at the first line that is not in order.
    """
    table = csv.reader(lines, strict=True)
    columns: Mapping[str, int] | None = None
    last = 0
    try:
        for cells in table:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(cells)
                continue
            row = _row(columns, cells, source, last)
            last = row.time
            yield row
    except (csv.Error, ValueError) as error:
        # A decoding error is a ValueError too, but its line is somewhere in the block that was read.
        where = (
            f"after line {table.line_num}" if isinstance(error, UnicodeError) else f"line {table.line_num}"
        )
        said = "is no UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise FeedError(f"feed file {name}, {where}: {said}") from error
    if columns is None:
        raise FeedError(f"feed file {name} is empty: in its first line {HEADER_NEEDED}")


def _columns(cells: Sequence[str]) -> Mapping[str, int]:
    """Where each column stands; the order is free."""
    names = [cell.strip() for cell in cells]
    fault = _header_fault(names)
    if fault is not None:
        found = ",".join(names)
        shown = found if len(found) <= HEADER_SHOWN else f"{found[:HEADER_SHOWN]}…"
        raise ValueError(f"{fault}; found are {shown!r}, {HEADER_NEEDED}")
    return {name: place for place, name in enumerate(names)}


def _header_fault(names: Sequence[str]) -> str | None:
    """What is wrong with a header, seen as one of the kind of file that it comes nearest to."""
    known = {*TICK_COLUMNS, *CANDLE_COLUMNS, *OPTIONAL_COLUMNS}
    if known.isdisjoint(names):
        return "the first line must name the columns"
    is_ticks = "price" in names or {"open", "high", "low", "close"}.isdisjoint(names)
    kind, required = ("ticks", TICK_COLUMNS) if is_ticks else ("candles", CANDLE_COLUMNS)
    for name in names:
        if name not in required and name not in OPTIONAL_COLUMNS:
            return f"unknown column {name[:40]!r}" + (f" in a file of {kind}" if name in known else "")
        if names.count(name) > 1:
            return f"column {name} stands there twice"
    missing = [name for name in required if name not in names]
    if not missing:
        return None
    return f"for {kind} {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"


def _row(columns: Mapping[str, int], cells: Sequence[str], source: str, not_before: int) -> Row:
    if len(cells) != len(columns):
        raise ValueError(f"has {len(cells)} cells, the header names {len(columns)}")
    line = _Line({name: cells[place].strip() for name, place in columns.items()})
    time = line.time()
    if time < not_before:
        raise ValueError("time: is earlier than the line before; sort the file by time")
    close = line.price("price" if "price" in columns else "close")
    low = high = None
    if "close" in columns:
        low, high, opened = line.price("low"), line.price("high"), line.price("open")
        if low > min(opened, close):
            raise ValueError("low: must not be above open or close")
        if high < max(opened, close):
            raise ValueError("high: must not be below open or close")
    reading = Reading(
        mint=line.mint(),
        price=close,
        source=source,
        low=low,
        high=high,
        liquidity=line.liquidity(),
        decimals=line.decimals(),
    )
    return Row(time, reading)


class _Line:
    """The cells of one line by column; every error names the column."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def price(self, column: str) -> Price:
        """A price in SOL."""
        try:
            return parse_price(self._number(column))
        except ValueError as error:
            raise ValueError(f"{column}: {error}") from None

    def liquidity(self) -> int | None:
        """Lamports, None where nothing is said."""
        if not self._cells.get("liquidity"):
            return None
        try:
            return to_units(parse_decimal(self._number("liquidity")), SOL_DECIMALS)
        except ValueError as error:
            raise ValueError(f"liquidity: {error}") from None

    def decimals(self) -> int | None:
        """The mint's decimals, None where nothing is said."""
        text = self._cells.get("decimals")
        if not text:
            return None
        if not _DIGITS.fullmatch(text) or int(text) > TOKEN_DECIMALS_MAX:
            raise ValueError(f"decimals: must be a whole number from 0 to {TOKEN_DECIMALS_MAX}")
        return int(text)

    def mint(self) -> Mint:
        """The token."""
        text = self._cells["mint"]
        if not _is_mint(text):
            raise ValueError("mint: must be a mint address, base58 of 32 bytes")
        if text == SOL:
            raise ValueError("mint: is SOL itself, which prices are stated in; name another token")
        return Mint(text)

    def time(self) -> int:
        """Milliseconds since the epoch."""
        return _time(self._cells["time"])

    def _number(self, column: str) -> str:
        text = self._cells[column]
        if not _NUMBER.fullmatch(text):
            raise ValueError('must be a decimal number such as "0.0067"')
        return text


# The few mints of a file return on every line.
@lru_cache(maxsize=10_000)
def _is_mint(text: str) -> bool:
    return _MINT.fullmatch(text) is not None and len(base58.b58decode(text)) == _MINT_BYTES


def _time(text: str) -> int:
    if _DIGITS.fullmatch(text):
        if int(text) < _EPOCH_MS_MIN:
            raise ValueError("time: a bare number must be milliseconds since 1970, not seconds")
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            'time: must be ISO 8601 with its zone, such as "2026-01-15T10:30:00Z", or milliseconds since 1970'
        )
    ms = (moment - _EPOCH) // _MILLISECOND
    if ms < 0:
        raise ValueError("time: must not be before 1970")
    return ms

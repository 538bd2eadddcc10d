"""How commands say things: progress on stderr, figures and times for people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from api.times import moment_text
from daemon import clock
from daemon.domain.values import SOL, SOL_DECIMALS, from_units, plain

LINE_SECONDS: Final = 5.0
"""Between two lines of progress where stderr is no terminal."""
REDRAW_SECONDS: Final = 0.1


class Progress:
    """How far something is: one line on stderr, redrawn on a terminal, else said every few seconds."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._terminal = sys.stderr.isatty()
        self._began = clock.monotonic()
        self._next = self._began + (REDRAW_SECONDS if self._terminal else LINE_SECONDS)

    def update(self, done: int) -> None:
        """Say how far it is, if that was not just said."""
        now = clock.monotonic()
        if now < self._next:
            return
        self._next = now + (REDRAW_SECONDS if self._terminal else LINE_SECONDS)
        line = progress_line(self._what, done, self._total, self._unit, now - self._began)
        sys.stderr.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Make room for what follows."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def progress_line(what: str, done: int, total: int, unit: str, seconds: float) -> str:
    """Percent, rate and time left."""
    share = min(1.0, done / total) if total else 1.0
    rate = done / seconds if seconds else 0.0
    left = f", {duration((total - done) / rate)} left" if rate and done < total else ""
    return f"{what}: {share:.0%}, {done:,} of {total:,} {unit}, {rate:,.0f}/s{left}"


def duration(seconds: float) -> str:
    """A duration for people: the two largest of hours, minutes and seconds."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(ms: int | None) -> str:
    """A time of the log."""
    return "never" if ms is None else moment_text(ms)


def amount(units: int, decimals: int = SOL_DECIMALS, unit: str = "SOL") -> str:
    """Base units as whole tokens."""
    return f"{plain(from_units(units, decimals))} {unit}"


def signed(units: int) -> str:
    """Lamports as SOL, with their sign."""
    return f"{'+' if units > 0 else ''}{amount(units)}"


def token(mint: str, symbol: str | None) -> str:
    """What people call a token."""
    return "SOL" if mint == SOL else symbol or mint


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )

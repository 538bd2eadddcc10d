"""What a benchmark says: figures with their goals, as one table."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, NamedTuple

import uvloop

from daemon import logs

SECONDS_MAX: Final = 300
LOOPS: Final = 3_000_000


class Figure(NamedTuple):
    """One measured figure. Without a goal it is there to be read beside the others."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    bound: Literal["at most", "at least"] = "at most"
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure over its goal."""
        return self.value / self.goal if self.goal else None

    @property
    def is_met(self) -> bool:
        """Whether the goal is met; True without one."""
        if self.goal is None:
            return True
        return self.value <= self.goal if self.bound == "at most" else self.value >= self.goal


Benchmark = Callable[[], Awaitable[Sequence[Figure]]]


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many percent lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def table(figures: Sequence[Figure]) -> str:
    """The figures as text, one a line: name, figure, goal, ratio of the two, whether it is met."""
    rows = [("name", "figure", "goal", "ratio", "", "")]
    for each in figures:
        sign = "≤" if each.bound == "at most" else "≥"
        goal = "" if each.goal is None else f"{sign} {_number(each.goal)} {each.unit}"
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        verdict = "" if each.goal is None else "met" if each.is_met else "MISSED"
        rows.append((each.name, f"{_number(each.value)} {each.unit}", goal, ratio, verdict, each.note))
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    lines = []
    for name, figure, goal, ratio, verdict, note in rows:
        cells = (
            name.ljust(widths[0]),
            figure.rjust(widths[1]),
            goal.rjust(widths[2]),
            ratio.rjust(widths[3]),
            verdict.ljust(widths[4]),
            note,
        )
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * (sum(widths) + 8))
    return "\n".join(lines)


def load() -> str:
    """How busy the machine is, and how fast Python is on it now: both may change under a benchmark."""
    began = time.perf_counter()
    for _ in range(LOOPS):
        pass
    speed = LOOPS / (time.perf_counter() - began) / 1e6
    return f"load {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores, {speed:.0f} million empty loops/s"


def main(benchmark: Benchmark) -> None:
    """Run one benchmark alone."""
    print(load())
    print(table(uvloop.run(measured(benchmark))))


async def measured(benchmark: Benchmark) -> Sequence[Figure]:
    """The benchmark's figures; none may take longer than `SECONDS_MAX`."""
    logs.configure("console", "warning", sys.stderr)
    return await asyncio.wait_for(benchmark(), SECONDS_MAX)


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

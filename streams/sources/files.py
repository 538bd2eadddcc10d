"""A feed from a file: CSV lines of ticks or candles, replayed onto the tape at a chosen speed.

A file's times only space its readings. On the tape a reading has the time of its replay, so that a price
from a file is fresh like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

import structlog

from daemon import clock
from daemon.domain.commands import Actor, Input, ObservePrices, Reading
from daemon.domain.values import InputId, Mint
from streams.intake import FEEDS, Intake, IntakeUnavailable, Overloaded
from streams.sources.pace import Pace
from streams.sources.rows import FeedError, Row, read_rows

GATHER_SECONDS: Final = 0.25
"""After a change was sent, what comes within this time goes in one input."""
READINGS_MAX: Final = 1_000
"""Readings in one input: as many as one `POST /prices` may carry."""
CHECKED_BYTES_MAX: Final = 2 * 1024 * 1024
"""A file up to this size is checked to its end before it starts (under a second); a larger one on the way."""
UNAVAILABLE_SECONDS: Final = 1.0
"""Until the next try after the log could not be reached; intake itself has tried for a while by then."""
NAME_LENGTH_MAX: Final = 90
SPEED_MAX: Final = 1_000_000
"""A day in a tenth of a second; who wants it faster wants `max`."""

_log = structlog.get_logger("feed")


class FileFeed:
    """Replays one file. Made by `FileFeed.open`, which checks the file; driven by `run`."""

    def __init__(self, path: Path, intake: Intake, speed: float, *, loop: bool, pace: Pace) -> None:
        self._path = path
        self._intake = intake
        self._speed = speed
        self._loop = loop
        self._pace = pace
        self.name = _name(path)
        self.source = f"file:{self.name}"
        self._actor = Actor(owner=FEEDS, key=f"feed:{self.name}")
        self._gathered: list[Reading] = []
        self._send_at = 0.0
        self._crowded = False
        """Refused lately: only the newest reading of each mint is kept."""

    @classmethod
    def open(
        cls, path: Path, intake: Intake, speed: float, *, loop: bool = False, pace: Pace | None = None
    ) -> FileFeed:
        """A feed that replays `path` `speed` times as fast as it happened; 0: as fast as it goes.

        With `loop` it begins again at the end. Raises `FeedError`, one line for the user, when the file
        cannot be read or is not in order (beyond 2 MB only its beginning is looked at).
        """
        feed = cls(path, intake, speed, loop=loop, pace=pace or Pace())
        rows = feed._rows()
        next(rows)
        if path.stat().st_size <= CHECKED_BYTES_MAX:
            for _ in rows:
                pass
        return feed

    async def run(self, stop: asyncio.Event) -> None:
        """Replay until the file ends or `stop` is set.

        A line that is not in order ends this feed with an error in the log, and nothing else.
        """
        replay = self._replay_paced if self._speed else self._replay_at_once
        try:
            while not stop.is_set():
                await replay(stop)
                if not self._loop:
                    break
        except FeedError as error:
            _log.error("feed stopped", source=self.source, error=str(error))
            return
        _log.info("feed ended", source=self.source)

    def _rows(self) -> Iterator[Row]:
        """At least one row, or FeedError: a pass over a file must never be nothing at all."""
        row = None
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                for row in read_rows(str(self._path), self.source, file):
                    yield row
        except OSError as error:
            raise FeedError(f"cannot read the feed file {self._path}: {error.strerror or error}") from error
        if row is None:
            raise FeedError(f"feed file {self._path} holds no line after its header")

    async def _replay_at_once(self, stop: asyncio.Event) -> None:
        """One input for each time of the file. The file waits while there is no room: nothing is left out."""
        for _, rows in groupby(self._rows(), key=lambda row: row.time):
            readings = [row.reading for row in rows]
            for first in range(0, len(readings), READINGS_MAX):
                item = self._input(readings[first : first + READINGS_MAX])
                while (wait := await self._put(item)) is not None:
                    if not await self._pace.until(self._pace.now() + wait, stop):
                        return
                if stop.is_set():
                    return

    async def _replay_paced(self, stop: asyncio.Event) -> None:
        rows = self._rows()
        row = next(rows, None)
        began, first = self._pace.now(), row.time if row is not None else 0
        while row is not None or self._gathered:
            next_steps = [self._send_at] if self._gathered else []
            if row is not None:
                next_steps.append(began + (row.time - first) / 1000 / self._speed)
            if not await self._pace.until(min(next_steps), stop):
                return
            now = self._pace.now()
            taken = 0
            while row is not None and began + (row.time - first) / 1000 / self._speed <= now:
                self._gathered.append(row.reading)
                row = next(rows, None)
                taken += 1
                if taken >= READINGS_MAX:
                    break  # the loop lets others run before it goes on
            if self._crowded:
                self._gathered = newest(self._gathered)
            full = len(self._gathered) >= READINGS_MAX and not self._crowded
            if self._gathered and (full or now >= self._send_at):
                await self._send()

    async def _send(self) -> None:
        """Put what is gathered on the tape, or keep what matters of it for the next try."""
        sent, rest = self._gathered[:READINGS_MAX], self._gathered[READINGS_MAX:]
        wait = await self._put(self._input(sent))
        if wait is None:
            self._gathered = rest
            self._crowded = self._crowded and bool(rest)
            self._send_at = self._pace.now() + (0 if rest else GATHER_SECONDS)
        else:
            self._gathered = newest(self._gathered)
            self._crowded = True
            self._send_at = self._pace.now() + wait

    def _input(self, readings: list[Reading]) -> Input:
        return Input(
            id=InputId(clock.random_id()),
            actor=self._actor,
            command=ObservePrices(readings=tuple(readings)),
        )

    async def _put(self, item: Input) -> float | None:
        """None once it is on every tape; else after how many seconds to try again."""
        try:
            await self._intake.put_everywhere(item)
        except Overloaded as refused:
            return float(refused.retry_after)
        except IntakeUnavailable:
            return UNAVAILABLE_SECONDS
        return None


def parse_speed(text: str) -> float:
    """A speed as an option states it: how many times as fast, or `max` (the same as 0)."""
    if text.strip().lower() == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= SPEED_MAX:
        raise ValueError(f'must be a number from 0 to {SPEED_MAX:,}, or "max", not {text!r}')
    return speed


def newest(readings: list[Reading]) -> list[Reading]:
    """One reading for each mint: the newest, with the lowest low and the highest high of those it replaces.

    The mints stand in the order of their newest readings.
    """
    kept: dict[Mint, Reading] = {}
    for reading in readings:
        earlier = kept.pop(reading.mint, None)
        kept[reading.mint] = reading if earlier is None else _merged(earlier, reading)
    return list(kept.values())


def _merged(earlier: Reading, later: Reading) -> Reading:
    lows = (earlier.low, earlier.price, later.low, later.price)
    highs = (earlier.high, earlier.price, later.high, later.price)
    return Reading(
        mint=later.mint,
        price=later.price,
        source=later.source,
        low=min(each for each in lows if each is not None),
        high=max(each for each in highs if each is not None),
        liquidity=earlier.liquidity if later.liquidity is None else later.liquidity,
        decimals=earlier.decimals if later.decimals is None else later.decimals,
    )


def _name(path: Path) -> str:
    """The file's name, fit for a log line and for the name of a source."""
    return "".join(each if each.isprintable() else "?" for each in path.name)[:NAME_LENGTH_MAX]

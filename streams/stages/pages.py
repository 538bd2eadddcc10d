"""The pages of a tape, the next one read while the present one is worked off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from daemon.records import TapeRecord
from streams.log.contract import Log

PAGE: Final = 500
"""Inputs of one page. There are two in memory at most, and a body is limited."""


class Pages:
    """Reads one tape ahead."""

    def __init__(self, log: Log, number: int) -> None:
        self._log = log
        self._number = number
        self._ahead: tuple[int, asyncio.Task[Sequence[TapeRecord]]] | None = None

    async def read(self, after: int) -> Sequence[TapeRecord]:
        """Up to `PAGE` inputs behind `after`; begins to read those behind them. Raises `LogUnavailable`."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == after:
            records = await ahead[1]
        else:
            self._drop(ahead)
            records = await self._log.read_tape(self._number, after, PAGE)
        if len(records) == PAGE:
            last = records[-1].offset
            self._ahead = last, asyncio.ensure_future(self._log.read_tape(self._number, last, PAGE))
        return records

    def close(self) -> None:
        """Give up what is being read ahead."""
        ahead, self._ahead = self._ahead, None
        self._drop(ahead)

    def _drop(self, ahead: tuple[int, asyncio.Task[Sequence[TapeRecord]]] | None) -> None:
        if ahead is not None and not ahead[1].cancel() and not ahead[1].cancelled():
            ahead[1].exception()  # nobody will ask for it

"""The negative control: `tapefold` with one promise broken, to show that the suite would notice.

Started in place of `tapefold` as `python -m tests.kill.careless <fault> up …`. The product has no such
switch: the parts are replaced in this process only.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from daemon import clock
from streams.log.contract import Appended, LogUnavailable, OutcomeUnknown
from streams.log.embedded import EmbeddedLog
from streams.stages.start import Folded

LATE_SECONDS: Final = 0.03
"""How long after its acknowledgment an append begins."""


def acknowledge_before_commit() -> None:
    """An append returns the offsets that its inputs will get, and stores them a little later."""
    append = EmbeddedLog.append
    under_way: dict[int, asyncio.Task[None]] = {}

    async def later(log: EmbeddedLog, tape: int, inputs: Sequence[bytes]) -> None:
        await asyncio.sleep(LATE_SECONDS)
        try:
            await append(log, tape, inputs)
        except (LogUnavailable, OutcomeUnknown):
            return  # gone, and nobody is told

    async def early(log: EmbeddedLog, tape: int, inputs: Sequence[bytes]) -> Appended:
        if tape in under_way:
            await under_way[tape]
        first = (await log.head(tape)).tape + 1
        under_way[tape] = asyncio.create_task(later(log, tape, inputs))
        return Appended(first, clock.now_ms())

    replace(EmbeddedLog, "append", early)


def forget_ids() -> None:
    """A trader knows no id from before its start, and nobody looks a key up before it appends."""
    from api import writes
    from daemon.domain.seen import SeenIds
    from streams.stages import trader

    fold: Callable[..., Awaitable[Folded]] = vars(trader)["fold_log"]

    async def forgetful(*arguments: Any) -> Folded:
        folded = await fold(*arguments)
        folded.tape.seen = SeenIds(folded.tape.undo)
        return folded

    async def unknown(*_: Any) -> None:
        return None

    replace(trader, "fold_log", forgetful)
    replace(writes, "_known", unknown)


def replace(owner: object, name: str, value: Any) -> None:
    """Put something else in a part's place; what is not there has moved, and the control with it."""
    assert hasattr(owner, name), f"{owner} has no {name} any more: the control breaks nothing"
    setattr(owner, name, value)


class Fault(NamedTuple):
    """What is broken, and a text of the suite's report that says so."""

    commit: Callable[[], None]
    shows_as: str


FAULTS: Final[dict[str, Fault]] = {
    "acknowledge-before-commit": Fault(acknowledge_before_commit, "read again: LOST"),
    "forget-ids": Fault(forget_ids, "0 times called repeated"),
}


def main() -> None:
    """Break what is named, then be `tapefold`."""
    FAULTS[sys.argv.pop(1)].commit()
    from ops.cli import main as tapefold

    tapefold()


if __name__ == "__main__":
    main()

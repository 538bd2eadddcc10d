"""`tapefold log create` and `tapefold log show`: the log made, and its tapes with who works on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple

from ops.cli.options import whole_number
from ops.cli.saying import table
from ops.installation import Installation, read_settings, run_command, use_installation
from ops.log_choice import TAPES_MAX, bound_to
from streams.log.claim_locks import CLAIMS, PROJECTIONS, holders

NOBODY: Final = "-"
HEADS: Final = ("tape", "last input", "reached", "last record", "epoch", "trader", "projector")


class TapeShown(NamedTuple):
    """One tape as it stands; offsets are those of the last one, −1: none."""

    tape: int
    last_input: int
    reached: int
    last_record: int
    epoch: int
    trader: str | None
    projector: str | None


class LogShown(NamedTuple):
    """The log as it stands."""

    log: str
    tapes: list[TapeShown]


def create(*, home: Path | None, tapes: str) -> None:
    """Make the log, or find that it is there with just so many tapes."""
    number = whole_number(tapes, "--tapes", 1, TAPES_MAX)
    shown = run_command(_create(home, number))
    print(f"{shown}: {number} tape{'s' if number > 1 else ''}")


def show(*, home: Path | None, as_json: bool) -> None:
    """Show engine, tapes, ends, epochs and who holds what."""
    shown = run_command(_show(home))
    if as_json:
        print(json.dumps({"log": shown.log, "tapes": [each._asdict() for each in shown.tapes]}))
        return
    print(f"{shown.log}: {len(shown.tapes)} tape{'s' if len(shown.tapes) > 1 else ''}")
    rows = [[NOBODY if cell is None else str(cell) for cell in each] for each in shown.tapes]
    print(table(HEADS, rows))


async def _create(home: Path | None, tapes: int) -> str:
    async with use_installation(read_settings(home=home), "tapefold log create", tapes=tapes) as installation:
        return await _name(installation)


async def _show(home: Path | None) -> LogShown:
    async with use_installation(
        read_settings(home=home), "tapefold log show", must_exist=True
    ) as installation:
        pool = installation.database.pool
        traders, projectors = await holders(pool, CLAIMS), await holders(pool, PROJECTIONS)
        found = []
        for tape in range(installation.log.tapes):
            head = await installation.log.head(tape)
            found.append(
                TapeShown(
                    tape, head.tape, head.reached, head.journal, head.epoch,
                    traders.get(tape), projectors.get(tape),
                )
            )  # fmt: skip
        return LogShown(await _name(installation), found)


async def _name(installation: Installation) -> str:
    name = await bound_to(installation.database)
    assert name is not None  # noqa: S101 - opening it has bound it
    return name

"""`tapefold halted`: the stages that stand still, and how the trader is let go on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
from asyncpg import Record

from daemon import clock
from daemon.domain.commands import Actor, DropInput, Input
from daemon.domain.values import InputId, Owner
from daemon.records import encode
from ops.cli.options import whole_number
from ops.cli.saying import moment, table
from ops.errors import StartError, UsageError
from ops.installation import Installation, read_settings, run_command, use_installation
from projections.progress import get_progress
from streams.log.contract import Head

ACTOR: Final = Actor(owner=Owner("operator"), key="cli")
REASON_LENGTH_MAX: Final = 500
ERROR_SHOWN: Final = 200
WAIT_SECONDS: Final = 5.0
"""How long a drop waits for a running trader to take it."""

_HALTED: Final = """
SELECT stage, tape, "offset", error, (extract(epoch FROM updated_at) * 1000)::bigint AS since
FROM identity.stages WHERE state = 'halted' ORDER BY tape, stage
"""


class Standstill(NamedTuple):
    """A stage that stands still, as its daemon has told."""

    stage: str
    tape: int
    offset: int
    error: str
    since: int


# --- show ------------------------------------------------------------------------------------------------


def show(*, home: Path | None) -> None:
    """Print the stages that stand still, and what can be done."""
    found = run_command(_show(home))
    if not found:
        print("nothing stands still")
        return
    rows = [
        (each.stage, str(each.tape), str(each.offset), moment(each.since), _short(each.error))
        for each in found
    ]
    print(table(("STAGE", "TAPE", "OFFSET", "SINCE", "ERROR"), rows))
    for each in found:
        if each.stage == "trader":
            tape = f" --tape {each.tape}" if each.tape else ""
            print(f"\nto skip that input: tapefold halted drop {each.offset}{tape} --reason WHY")


async def _show(home: Path | None) -> Sequence[Standstill]:
    async with use_installation(read_settings(home=home), "tapefold halted", must_exist=True) as installation:
        rows = await installation.database.pool.fetch(_HALTED)
        return [each for each in map(_standstill, rows) if await _is_still_there(installation, each)]


def _standstill(row: Record) -> Standstill:
    return Standstill(row["stage"], row["tape"], row["offset"] or 0, row["error"] or "", row["since"])


async def _is_still_there(installation: Installation, stage: Standstill) -> bool:
    """A daemon that ended while it stood still has not told that a later one went on."""
    if stage.stage == "trader":
        return (await installation.log.head(stage.tape)).reached < stage.offset
    try:
        progress = await get_progress(installation.database.pool, stage.tape)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        return True
    return progress is None or progress.tape_offset < stage.offset


def _short(error: str) -> str:
    line = " ".join(error.split())
    return line if len(line) <= ERROR_SHOWN else f"{line[:ERROR_SHOWN]}…"


# --- drop ------------------------------------------------------------------------------------------------


def drop(*, home: Path | None, offset: str, reason: str, tape: str) -> None:
    """Put on the tape that the input at `offset` is to be skipped, and wait a moment for the trader."""
    place = whole_number(offset, "OFFSET", 0)
    number = whole_number(tape, "--tape", 0)
    reason = reason.strip()
    if not reason or len(reason) > REASON_LENGTH_MAX or not reason.isprintable():
        raise UsageError(f"--reason: must be 1 to {REASON_LENGTH_MAX} printable characters")
    recorded, taken = run_command(_drop(home, number, place, reason))
    if taken:
        print(f"dropped: the trader has skipped tape offset {place} (recorded at tape offset {recorded})")
    else:
        print(
            f"recorded at tape offset {recorded}: a trader that stands still at tape offset {place} skips it"
        )
        sys.stderr.write("no trader has taken it yet: see `tapefold halted` once the daemon runs\n")


async def _drop(home: Path | None, tape: int, offset: int, reason: str) -> tuple[int, bool]:
    async with use_installation(read_settings(home=home), "tapefold halted", must_exist=True) as installation:
        log = installation.log
        if tape >= log.tapes:
            raise StartError(f"--tape {tape}: there are {log.tapes} tapes, numbered from 0")
        _check_place(await log.head(tape), tape, offset)
        asked = Input(
            id=InputId(clock.random_id()), actor=ACTOR, command=DropInput(offset=offset, reason=reason)
        )
        recorded = (await log.append(tape, [encode(asked)])).first
        return recorded, await _is_taken(installation, tape, offset)


def _check_place(head: Head, tape: int, offset: int) -> None:
    """Only what the trader stands at may be dropped: a drop of anything else would wait for that to halt."""
    place = f"tape offset {offset} of tape {tape}"
    if offset > head.tape:
        raise StartError(f"there is no {place}: the tape ends at {head.tape}")
    if offset <= head.reached:
        raise StartError(f"{place} is decided already: the trader has reached {head.reached}")
    if offset != head.reached + 1:
        raise StartError(f"the trader does not stand at {place}, but at {head.reached + 1}")


async def _is_taken(installation: Installation, tape: int, offset: int) -> bool:
    log = installation.log
    until = clock.monotonic() + WAIT_SECONDS
    head = await log.head(tape)
    while head.reached < offset and (left := until - clock.monotonic()) > 0:
        await log.wait_journal(tape, head.journal, head.reached, left)
        head = await log.head(tape)
    return head.reached >= offset

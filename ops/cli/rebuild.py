"""`tapefold rebuild`: the read models folded anew, or compared with a fresh fold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, Self

import asyncpg

from daemon.domain.values import use_context
from ops.cli.saying import Progress
from ops.errors import StartError
from ops.installation import Installation, read_settings, run_command, use_installation
from projections import rebuild
from projections.differences import Difference
from projections.merging import FoldFailed
from projections.model import SCHEMA
from projections.rebuild import RebuildProgress, RebuildResult
from projections.replacing import RebuildRuns, replace
from projections.schema import fingerprint

DIFFERENCES_MAX: Final = 100
"""Differences shown."""


def run(*, home: Path | None, check: bool) -> None:
    """Rebuild the read models, or compare them; exits 1 where they differ."""
    if not check:
        result = run_command(_rebuild(home))
        print(
            f"rebuilt: {result.events:,} events of {result.inputs:,} inputs in {result.seconds:.1f} s, "
            f"{result.events_per_second:,.0f} events/s"
        )
        return
    found = run_command(_check(home))
    for each in found:
        print(each)
    if found:
        more = " or more" if len(found) >= DIFFERENCES_MAX else ""
        sys.stderr.write(
            f"tapefold: {len(found)}{more} differences between the stored rows and a fresh fold: "
            "mend them with `tapefold rebuild`\n"
        )
        sys.exit(1)
    print("the same: every stored row equals a fresh fold")


async def _rebuild(home: Path | None) -> RebuildResult:
    use_context()
    async with use_installation(
        read_settings(home=home), "tapefold rebuild", must_exist=True
    ) as installation:
        with _Bar(await _total(installation)) as bar:
            try:
                return await replace(installation.log, installation.database, bar.say)
            except FoldFailed as error:
                raise _failed(error) from error
            except RebuildRuns as error:
                raise StartError(str(error)) from error


async def _check(home: Path | None) -> list[Difference]:
    use_context()
    async with use_installation(
        read_settings(home=home), "tapefold rebuild --check", must_exist=True, alone=True
    ) as installation:
        await _require_current(installation)
        with _Bar(await _total(installation)) as bar:
            try:
                return await rebuild.check(
                    installation.log, installation.database, bar.say, limit=DIFFERENCES_MAX
                )
            except FoldFailed as error:
                raise _failed(error) from error


async def _total(installation: Installation) -> int:
    """Inputs to be folded."""
    log = installation.log
    return sum([(await log.head(tape)).reached + 1 for tape in range(log.tapes)])


async def _require_current(installation: Installation) -> None:
    try:
        found = await installation.database.pool.fetchval(f"SELECT fingerprint FROM {SCHEMA}.schema_version")  # noqa: S608 - a constant of ours
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        found = None
    if found != fingerprint():
        raise StartError(
            "there are no read models of this version to compare: make them with `tapefold rebuild`"
        )


def _failed(error: FoldFailed) -> StartError:
    cause = " ".join(str(error).split())
    return StartError(f"tape offset {error.offset} cannot be folded: {cause}; see `tapefold verify`")


class _Bar:
    """Progress over all tapes."""

    def __init__(self, total: int) -> None:
        self._progress = Progress("rebuild", total, "inputs")

    def say(self, now: RebuildProgress) -> None:
        self._progress.update(now.inputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()

"""`tapefold snapshot`: what a start may begin from, listed or made.

To make one needs nobody's leave: it is a fold of what is committed, in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from api.times import moment_text
from daemon import clock
from daemon.domain.freezing import copy
from daemon.domain.values import use_context
from daemon.records import BrokenChain, UnreadableRecord
from ops.errors import StartError
from ops.installation import Installation, read_settings, run_command, use_installation
from streams.log.contract import LogUnavailable
from streams.snapshots.contract import Snapshot, SnapshotsFailed
from streams.snapshots.postgres import PostgresSnapshots
from streams.snapshots.reading import check_place
from streams.snapshots.writing import write
from streams.stages.start import fold_log


class Listed(NamedTuple):
    """A snapshot, and why a start would pass it over as far as that shows without reading it."""

    snapshot: Snapshot
    fault: str | None


def show(*, home: Path | None, as_json: bool) -> None:
    """List all snapshots, the newest of each tape first."""
    found = run_command(_list(home))
    if as_json:
        print(json.dumps([_as_json(each) for each in found]))
        return
    for each in found:
        facts = each.snapshot.facts
        print(
            f"tape {facts.tape}: at {facts.reached}, journal {facts.journal}, {facts.bytes:,} bytes,"
            f" made {moment_text(each.snapshot.made_at)} in {each.snapshot.seconds:.2f} s:"
            f" {'usable' if each.fault is None else 'passed over: ' + each.fault}"
        )
    if not found:
        print("there are no snapshots")


def make(*, home: Path | None) -> None:
    """Fold every tape up to its end, from its newest snapshot on, and store what comes out."""
    for made, seconds in run_command(_make(home)):
        facts = made.facts
        print(
            f"tape {facts.tape}: at {facts.reached}, journal {facts.journal}, {facts.bytes:,} bytes;"
            f" folded in {seconds:.2f} s, written in {made.seconds:.2f} s"
        )


async def _list(home: Path | None) -> Sequence[Listed]:
    async with use_installation(
        read_settings(home=home), "tapefold snapshot list", must_exist=True
    ) as installation:
        store, log = _store(installation), installation.log
        found = []
        for tape in range(log.tapes):
            head = await log.head(tape)
            try:
                snapshots = await store.newest(tape)
            except SnapshotsFailed as error:
                raise StartError(f"the snapshots cannot be listed: {error}") from error
            for each in snapshots:
                fault = None
                try:
                    await check_place(each.facts, log, tape, head.journal, head.reached)
                except (SnapshotsFailed, BrokenChain) as error:
                    fault = str(error)
                found.append(Listed(each, fault))
        return found


async def _make(home: Path | None) -> Sequence[tuple[Snapshot, float]]:
    use_context()
    async with use_installation(
        read_settings(home=home), "tapefold snapshot make", must_exist=True
    ) as installation:
        store, log = _store(installation), installation.log
        made = []
        for tape in range(log.tapes):
            began = clock.monotonic()
            head = await log.head(tape)
            try:
                folded = await fold_log(log, tape, head.journal, head.reached, store)
            except (BrokenChain, UnreadableRecord) as error:
                raise StartError(f"tape {tape} cannot be folded: {error}; see `tapefold verify`") from error
            seconds = clock.monotonic() - began
            try:
                made.append((await write(store, tape, copy(folded.tape), folded.end), seconds))
            except (SnapshotsFailed, LogUnavailable) as error:
                raise StartError(f"the snapshot cannot be written: {error}") from error
        return made


def _store(installation: Installation) -> PostgresSnapshots:
    return PostgresSnapshots(installation.database.pool)


def _as_json(each: Listed) -> dict[str, Any]:
    facts, snapshot = each.snapshot.facts, each.snapshot
    return {
        "tape": facts.tape,
        "reached": facts.reached,
        "journal": facts.journal,
        "hash": facts.hash,
        "version": facts.version,
        "bytes": facts.bytes,
        "madeAt": moment_text(snapshot.made_at),
        "seconds": round(snapshot.seconds, 3),
        "usable": each.fault is None,
        "fault": each.fault,
    }

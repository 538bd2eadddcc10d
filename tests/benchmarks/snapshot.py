"""From starting `tapefold up` to its readiness after a million events, with and without a snapshot."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from daemon.domain.values import Price
from streams.snapshots.postgres import PostgresSnapshots
from tests.benchmarks import inputs
from tests.benchmarks.figures import Figure, main, median
from tests.benchmarks.running import Running, running

STARTS: Final = 3
FOLD_SECONDS_MAX: Final = 120
AGENTS: Final = 1_000
MINTS: Final = 10
ROUNDS: Final = 15
IDS: Final = 100_000
"""Signals of an owner without agents: one event each, and an id that is kept."""
OWNER: Final = "holder"
LOW: Final = Price("0.0055")


async def run() -> Sequence[Figure]:
    """Three restarts from the snapshot; the figures are medians. Then one without any."""
    ready, folds = [], []
    async with running() as daemon:
        await _fill(daemon)
        async with daemon.database() as database:
            events = await database.pool.fetchval(
                "SELECT sum(json_array_length(data::json -> 'events')) FROM tape.entries"
            )
        await _make(daemon)
        for _ in range(STARTS):
            await daemon.stop()
            await daemon.start()
            ready.append(daemon.ready_seconds)
            said = await _folded(daemon)
            folds.append(float(said["seconds"]))
            if said["snapshot"] is None:
                raise RuntimeError("the start did not begin from the snapshot")
        async with daemon.database() as database:
            newest = (await PostgresSnapshots(database.pool).newest(0))[0]
            await database.pool.execute("DELETE FROM tape.snapshots")
        await daemon.stop()
        await daemon.start()
        full, full_fold = daemon.ready_seconds, float((await _folded(daemon))["seconds"])
    note = f"{events:,} events, {AGENTS * MINTS:,} open positions, {IDS:,} ids"
    return [
        Figure("start to ready from a snapshot", median(ready), "s", 3, note=note),
        Figure("  of which thawing and the tail", median(folds), "s"),
        Figure("start to ready without one", full, "s"),
        Figure("  of which the full fold", full_fold, "s"),
        Figure("writing the snapshot", newest.seconds, "s", note="by a command, beside the daemon"),
        Figure("  its size", newest.facts.bytes / 1e6, "MB"),
    ]


async def _fill(daemon: Running) -> None:
    """Agents that open positions and are stopped out, again and again; at the end they hold."""
    await daemon.append(inputs.agents(AGENTS, OWNER, series=OWNER, config=inputs.STOPPED))
    mints = [inputs.mint(number, OWNER) for number in range(MINTS)]
    for number in range(ROUNDS):
        await daemon.append([inputs.prices(mints, name=f"high {number}")])
        await daemon.append(inputs.signal(f"{number} {token}", OWNER, token) for token in mints)
        await daemon.append([inputs.prices(mints, LOW, name=f"low {number}")])
    await daemon.append([inputs.prices(mints, name="last")])
    await daemon.append(inputs.signal(f"last {token}", OWNER, token) for token in mints)
    ids = _ids()
    while some := list(islice(ids, 20_000)):
        await daemon.append(some)


def _ids() -> Iterator[bytes]:
    token = inputs.mint(0, OWNER)
    return (inputs.signal(f"nobody {number}", "nobody", token) for number in range(IDS))


async def _folded(daemon: Running) -> dict[str, Any]:
    """What the trader says when it has folded."""
    async with asyncio.timeout(FOLD_SECONDS_MAX):
        while True:
            try:
                return daemon.said("folded")
            except LookupError:
                await asyncio.sleep(0.02)


async def _make(daemon: Running) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops.cli",
        "snapshot",
        "make",
        "--home",
        str(daemon.home),
    )
    if await process.wait():
        raise RuntimeError("no snapshot was made")


if __name__ == "__main__":
    main(run)

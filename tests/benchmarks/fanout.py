"""One signal to a thousand agents of one owner, while another owner's signal waits; ten thousand agents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.benchmarks import inputs
from tests.benchmarks.figures import Figure, main, median
from tests.benchmarks.running import Running, running

AGENTS: Final = 1_000
AGENTS_IN_ALL: Final = 10_000
SIGNALS: Final = 5
OTHER_AFTER_SECONDS: Final = 0.005
CROWD: Final = "crowd"
OTHER: Final = "somebody else"


async def run() -> Sequence[Figure]:
    """Five signals, one after the other; the figures are their medians, of the other owner's the worst."""
    async with running() as daemon:
        await daemon.append(inputs.agents(AGENTS, CROWD, series=CROWD))
        await daemon.append(inputs.agents(1, OTHER, series=OTHER))
        rest = AGENTS_IN_ALL - AGENTS - 1
        await daemon.append(inputs.agents(rest, "the rest", series="the rest"))
        mints = [inputs.mint(number, "fan-out") for number in range(SIGNALS + 2)]
        await daemon.append([inputs.prices(mints, name="fan-out")])
        crowd, other = await daemon.key(CROWD, "admin"), await daemon.key(OTHER, "admin")
        await _signal(daemon, other, mints[-1])
        await _signal(daemon, crowd, mints[-2])  # the first of all warms caches and prepares statements
        taken, waited, failed = [], [], 0
        for token in mints[:SIGNALS]:
            (seconds, filled), other_seconds = await asyncio.gather(
                _fan_out(daemon, crowd, token), _other(daemon, other, token)
            )
            taken.append(seconds)
            waited.append(other_seconds)
            failed += AGENTS - filled
        trading = daemon.rss_megabytes
        # And one that reaches all that are left: their state is then as large as the others'.
        everybody = await daemon.key("the rest", "admin")
        await _signal(daemon, everybody, mints[-2], wait=False)
        await daemon.append([inputs.prices(mints, name="fan-out again")])
        held = daemon.rss_megabytes
    note = f"to the read model: {', '.join(f'{each:.3f}' for each in taken)} s"
    return [
        Figure("fan-out to 1,000 agents", AGENTS / median(taken), "executions/s", 5_000, "at least", note),
        Figure("executions that failed", failed, "", 0),
        Figure("another owner's signal meanwhile, worst", max(waited), "s", 1.5),
        Figure("memory, 10,000 agents", trading, "MB", 500),
        Figure(
            "memory, 10,000 agents that hold", held, "MB", 500, note="one signal had reached 8,999 agents"
        ),
    ]


async def _fan_out(daemon: Running, key: dict[str, str], token: str) -> tuple[float, int]:
    """Seconds from the post until all fills are in the read model, and how many there are."""
    began = time.perf_counter()
    signal_id = await _signal(daemon, key, token, wait=False)
    async with daemon.database() as database:
        count = "SELECT count(*) FROM read.fills WHERE signal_id = $1::uuid"
        while (filled := await database.pool.fetchval(count, signal_id)) == 0:
            if time.perf_counter() - began > 30:
                break
            await asyncio.sleep(0.002)
        seconds = time.perf_counter() - began
    listed = await _get(daemon, key, f"/trading-signals/{signal_id}/decisions?outcome=approved&limit=1000")
    return seconds, min(int(filled), len(listed))


async def _other(daemon: Running, key: dict[str, str], token: str) -> float:
    await asyncio.sleep(OTHER_AFTER_SECONDS)
    began = time.perf_counter()
    await _signal(daemon, key, token)
    return time.perf_counter() - began


async def _signal(daemon: Running, key: dict[str, str], token: str, *, wait: bool = True) -> str:
    body = {"tokenAddress": token, "action": "buy", "score": 4}
    headers = key if wait else {**key, "Prefer": "respond-async"}
    async with daemon.session.post(f"{daemon.api}/trading-signals", json=body, headers=headers) as response:
        answer = await response.json()
        if response.status not in {201, 202}:
            raise RuntimeError(f"{response.status} {answer}")
        return str(answer["id"])


async def _get(daemon: Running, key: dict[str, str], path: str) -> list[Any]:
    async with daemon.session.get(f"{daemon.api}{path}", headers=key) as response:
        found: list[Any] = await response.json()
        return found


if __name__ == "__main__":
    main(run)

"""From posting a signal to reading its position, at 50 signals a second, beside its floor."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from tests.benchmarks import inputs
from tests.benchmarks.figures import Figure, main, median, percentile
from tests.benchmarks.floor import floor
from tests.benchmarks.running import Running, running

RUNS: Final = 5
SIGNALS_PER_SECOND: Final = 50
SECONDS: Final = 10
FLOOR_SECONDS: Final = 5
WARM_SECONDS: Final = 2


async def run() -> Sequence[Figure]:
    """Five runs, each with its floor right before it; the figures are the medians of the runs."""
    p50, p90, p99, floors, ratios = [], [], [], [], []
    retries = 0
    async with running() as daemon, floor(await daemon.dsn(), daemon.session) as bottom:
        body = json.dumps(_body(inputs.mint(0))).encode()
        for number in range(RUNS):
            owner = _Owner(daemon, f"latency {number}")
            await owner.prepare()
            await _at_pace(WARM_SECONDS if not number else 0, lambda _: bottom.once(body))
            base = await _at_pace(FLOOR_SECONDS, lambda _: bottom.once(body))
            if not number:
                await _at_pace(WARM_SECONDS, owner.once)
            taken = await _at_pace(SECONDS, owner.once)
            p50.append(percentile(taken, 50) * 1000)
            p90.append(percentile(taken, 90) * 1000)
            p99.append(percentile(taken, 99) * 1000)
            floors.append(percentile(base, 50) * 1000)
            ratios.append(p50[-1] / floors[-1])
            retries += owner.retries
    note = f"runs: {', '.join(f'{each:.2f}' for each in p50)}"
    return [
        Figure("signal to position, p50", median(p50), "ms", 6, note=note),
        Figure("signal to position, p90", median(p90), "ms"),
        Figure("signal to position, p99", median(p99), "ms", 30),
        Figure("its floor, p50", median(floors), "ms", note="empty POST, 3 commits, empty GET"),
        Figure("p50 over its floor", median(ratios), "×", 1.5),
        Figure("positions not there at the first look", retries, "", 0),
    ]


class _Owner:
    """Posts signals for its one agent, each for a mint of its own, so that each opens a position."""

    def __init__(self, daemon: Running, name: str) -> None:
        self.retries = 0
        self._daemon = daemon
        self._name = name
        self._next = 0
        self._headers: dict[str, str] = {}
        self._prices: dict[str, str] = {}

    async def prepare(self) -> None:
        daemon = self._daemon
        self._headers = await daemon.key(self._name, "admin")
        await daemon.append(inputs.agents(1, self._name, series=self._name))
        count = (SECONDS + WARM_SECONDS) * SIGNALS_PER_SECOND
        mints = [inputs.mint(number, self._name) for number in range(count)]
        await daemon.append([inputs.prices(mints, name=self._name)])

    async def once(self, number: int) -> float:
        """POST, 201, GET: in seconds."""
        daemon = self._daemon
        token = inputs.mint(self._next, self._name)
        self._next += 1
        began = time.perf_counter()
        async with daemon.session.post(
            f"{daemon.api}/trading-signals", json=_body(token), headers=self._headers
        ) as response:
            answer = await response.json()
            if response.status != 201:
                raise RuntimeError(f"{response.status} {answer}")
        while True:
            async with daemon.session.get(
                f"{daemon.api}/agent-positions?signalId={answer['id']}", headers=self._headers
            ) as response:
                found = await response.json()
            if len(found) == 1 and found[0]["tokenAddress"] == token:
                return time.perf_counter() - began
            self.retries += 1


def _body(token: str) -> dict[str, object]:
    return {
        "tokenAddress": token,
        "signalType": "buy",
        "signalStrength": 4,
        "symbol": "BENCH",
        "source": "benchmark",
        "reason": "measured from here to the position",
    }


async def _at_pace(seconds: int, once: Callable[[int], Awaitable[float]]) -> list[float]:
    """Start one each 20 ms whatever became of those before (open loop), and wait for all."""
    loop = asyncio.get_running_loop()
    first = loop.time() + 0.05
    tasks = []
    for number in range(seconds * SIGNALS_PER_SECOND):
        await asyncio.sleep(first + number / SIGNALS_PER_SECOND - loop.time())
        tasks.append(asyncio.ensure_future(once(number)))
    return list(await asyncio.gather(*tasks))


if __name__ == "__main__":
    main(run)

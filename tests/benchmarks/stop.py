"""From a price that crosses a stop, once it is on the tape, to the exit in the read model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from daemon.domain.values import Price
from streams.log.embedded_sql import CHANNEL
from tests.benchmarks import inputs
from tests.benchmarks.figures import Figure, main, percentile
from tests.benchmarks.holding import holding

EXITS: Final = 200
WARM: Final = 20
SECONDS_BETWEEN: Final = 0.02
OWNER: Final = "stopped"
LOW: Final = Price("0.0055")
"""Below the stop at 10 % of 0.0067, and within what the guard lets pass."""


async def run() -> Sequence[Figure]:
    """One agent's 200 stops, one after the other, beside 10,000 positions of others.

    The append is taken to be done when Postgres notifies of it, which it does right after the commit.
    """
    mints = [inputs.mint(number, OWNER) for number in range(EXITS + WARM)]
    async with holding() as daemon:
        await daemon.append(inputs.agents(1, OWNER, series=OWNER, config=inputs.STOPPED))
        await daemon.append([inputs.prices(mints, name=OWNER)])
        await daemon.append(inputs.signal(f"{OWNER} {token}", OWNER, token) for token in mints)
        key = await daemon.key("operator", "prices")
        posted, taken = [], []
        async with daemon.database() as database:
            watch = await database.session()
            look = await database.session()
            appended = _Appended()
            await watch.add_listener(CHANNEL, appended.hear)
            exits = await look.prepare("SELECT count(*) FROM read.closed_positions WHERE mint = $1")
            for token in mints:
                appended.clear()
                body = {"prices": [{"tokenAddress": token, "priceSol": str(LOW), "source": "benchmark"}]}
                began = time.perf_counter()
                post = asyncio.ensure_future(
                    daemon.session.post(f"{daemon.api}/prices", json=body, headers=key)
                )
                await asyncio.wait_for(appended.event.wait(), 10)
                while not await exits.fetchval(token):
                    if time.perf_counter() - began > 10:
                        raise RuntimeError("a stop was not carried out")
                done = time.perf_counter()
                taken.append((done - appended.at) * 1000)
                posted.append((done - began) * 1000)
                (await post).release()
                await asyncio.sleep(SECONDS_BETWEEN)
            await watch.close()
            await look.close()
    return [
        Figure("stop crossed to exit readable, p50", percentile(taken[WARM:], 50), "ms", 10),
        Figure("stop crossed to exit readable, p99", percentile(taken[WARM:], 99), "ms", 10),
        Figure("price posted to exit readable, p50", percentile(posted[WARM:], 50), "ms"),
    ]


class _Appended:
    """When the tape grew."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.at = 0.0

    def clear(self) -> None:
        self.event.clear()

    def hear(self, _session: Any, _pid: int, _channel: str, payload: object) -> None:
        if str(payload).startswith("t ") and not self.event.is_set():
            self.at = time.perf_counter()
            self.event.set()


if __name__ == "__main__":
    main(run)

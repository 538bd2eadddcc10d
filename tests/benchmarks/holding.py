"""A daemon whose agents hold ten thousand positions, each with a stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.benchmarks import inputs
from tests.benchmarks.running import Running, running

AGENTS: Final = 1_000
MINTS: Final = 10
OWNER: Final = "holder"


@asynccontextmanager
async def holding() -> AsyncIterator[Running]:
    """A daemon with 10,000 open positions."""
    async with running() as daemon:
        await daemon.append(inputs.agents(AGENTS, OWNER, series=OWNER, config=inputs.STOPPED))
        mints = [inputs.mint(number, OWNER) for number in range(MINTS)]
        await daemon.append([inputs.prices(mints, name=OWNER)])
        await daemon.append(inputs.signal(f"{OWNER} {token}", OWNER, token) for token in mints)
        async with daemon.database() as database:
            held = await database.pool.fetchval("SELECT count(*) FROM read.positions WHERE closed_at IS NULL")
        if held != AGENTS * MINTS:
            raise RuntimeError(f"{held} positions are open")
        yield daemon

"""Ways to kill. Each leaves a daemon that starts or runs, and says how many processes it has killed."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Final

from tests.kill.choosing import Moves, WrongExit
from tests.kill.victims import Daemon

START_SECONDS: Final = 2.5
"""About what a start takes: kills during it are spread over this time."""


async def daemon(victim: Daemon, chance: random.Random) -> int:
    """The daemon, under load."""
    await victim.kill()
    await asyncio.sleep(chance.choice((0, 0, chance.uniform(0, 0.5))))
    await victim.start()
    return 1


async def postgres(victim: Daemon, chance: random.Random) -> int:
    """Postgres, under load; the daemon mends it."""
    return int(victim.kill_postgres())


async def postgres_twice(victim: Daemon, chance: random.Random) -> int:
    """Postgres, and again as soon as it is back or still recovering."""
    killed = int(victim.kill_postgres())
    await asyncio.sleep(chance.uniform(0.05, 1.0))
    return killed + int(victim.kill_postgres())


async def both(victim: Daemon, chance: random.Random) -> int:
    """Daemon and Postgres at about the same time, in either order."""
    if chance.random() < 0.5:
        killed = int(victim.kill_postgres())
        await asyncio.sleep(chance.uniform(0, 0.1))
        await victim.kill()
    else:
        await victim.kill()
        await asyncio.sleep(chance.uniform(0, 0.1))
        killed = int(victim.kill_postgres())
    await victim.start()
    return killed + 1


async def daemon_starting(victim: Daemon, chance: random.Random) -> int:
    """The daemon, and again while it starts."""
    await victim.kill()
    await victim.start()
    await asyncio.sleep(chance.uniform(0, START_SECONDS))
    await victim.kill()
    await victim.start()
    return 2


async def postgres_starting(victim: Daemon, chance: random.Random) -> int:
    """The daemon, then Postgres while the daemon starts."""
    await victim.kill()
    await victim.start()
    await asyncio.sleep(chance.uniform(0, START_SECONDS))
    return 1 + int(victim.kill_postgres())


async def draining(victim: Daemon, chance: random.Random) -> int:
    """SIGTERM, then kill -9 while it drains and stops its database."""
    victim.send(signal.SIGTERM)
    await asyncio.sleep(chance.uniform(0, 0.4))
    await victim.kill()
    await victim.start()
    return 1


async def stopped(victim: Daemon, chance: random.Random) -> int:
    """SIGTERM, mostly with a second one: no kill, but a stop that is cut short. It must exit with 0."""
    victim.send(signal.SIGTERM)
    if chance.random() < 0.7:
        await asyncio.sleep(chance.uniform(0, 0.2))
        victim.send(signal.SIGTERM)
    code = await victim.end()
    if code != 0:
        raise WrongExit(f"SIGTERM ended life {victim.lives} of the daemon with code {code}")
    await victim.start()
    return 0


MOVES: Final[Moves[Daemon]] = (
    (daemon, 30),
    (postgres, 25),
    (both, 10),
    (daemon_starting, 8),
    (postgres_starting, 8),
    (postgres_twice, 7),
    (draining, 6),
    (stopped, 6),
)
"""With how often each is chosen."""

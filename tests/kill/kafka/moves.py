"""Ways to kill and to hold up. Each says how many it has killed or stopped, and leaves all started."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Final

from streams.log.claim_locks import SILENT_SECONDS_MAX
from tests.kill.choosing import Moves
from tests.kill.kafka.cluster import Cluster
from tests.kill.victims import Child

START_SECONDS: Final = 2.0
"""About what a start takes: kills during it are spread over this time."""
TAKE_OVER_SECONDS: Final = 1.5
"""About what others take to take over; sometimes a dead one comes back before, sometimes after."""
PAUSE_SECONDS_MAX: Final = 7.0


async def worker(victim: Cluster, chance: random.Random) -> int:
    """A worker, under load: the other takes its tapes over, and gives some back."""
    return await _kill(chance.choice(victim.workers), chance.choice((0, chance.uniform(0, 3))))


async def both_workers(victim: Cluster, chance: random.Random) -> int:
    """Both workers at about the same time: nobody decides for a while."""
    first, second = chance.sample(victim.workers, 2)
    await first.kill()
    await asyncio.sleep(chance.uniform(0, TAKE_OVER_SECONDS))
    await second.kill()
    await asyncio.gather(first.start(), second.start())
    return 2


async def worker_starting(victim: Cluster, chance: random.Random) -> int:
    """A worker, and again while it starts or takes its share."""
    chosen = chance.choice(victim.workers)
    await chosen.kill()
    await chosen.start()
    await asyncio.sleep(chance.uniform(0, START_SECONDS + TAKE_OVER_SECONDS))
    await chosen.kill()
    await chosen.start()
    return 2


async def projector(victim: Cluster, chance: random.Random) -> int:
    """The projector: workers project meanwhile."""
    return await _kill(victim.projector, chance.choice((0, chance.uniform(0, 3))))


async def api(victim: Cluster, chance: random.Random) -> int:
    """An API process with requests under way."""
    return await _kill(chance.choice(victim.apis), 0)


async def zombie(victim: Cluster, chance: random.Random) -> int:
    """A worker stands still until the other has taken its tapes over, then goes on as if nothing had been."""
    chosen = chance.choice(victim.workers)
    chosen.send(signal.SIGSTOP)
    await asyncio.sleep(SILENT_SECONDS_MAX + chance.uniform(0.5, 3))
    chosen.send(signal.SIGCONT)
    return 1


async def long_zombie(victim: Cluster, chance: random.Random) -> int:
    """A worker stands still until another has surely decided on its tapes, and both go on for a while."""
    chosen = chance.choice(victim.workers)
    chosen.send(signal.SIGSTOP)
    await asyncio.sleep(2 * SILENT_SECONDS_MAX + chance.uniform(0, 3))
    chosen.send(signal.SIGCONT)
    await asyncio.sleep(TAKE_OVER_SECONDS)
    return 1


async def nap(victim: Cluster, chance: random.Random) -> int:
    """Any process stands still for a moment."""
    chosen = chance.choice(victim.children)
    chosen.send(signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(0.2, 3))
    chosen.send(signal.SIGCONT)
    return 1


async def zombie_killed(victim: Cluster, chance: random.Random) -> int:
    """A worker that stood still is killed as soon as it goes on."""
    chosen = chance.choice(victim.workers)
    chosen.send(signal.SIGSTOP)
    await asyncio.sleep(SILENT_SECONDS_MAX + chance.uniform(0.5, 2))
    chosen.send(signal.SIGCONT)
    await asyncio.sleep(chance.uniform(0, 0.5))
    await chosen.kill()
    await chosen.start()
    return 2


async def hand_over(victim: Cluster, chance: random.Random) -> int:
    """SIGTERM for a worker or the projector, sometimes with kill -9 while it gives up its tapes."""
    chosen = chance.choice([*victim.workers, victim.projector])
    if chance.random() < 0.5:
        await victim.hand_over(chosen)
        await chosen.start()
        return 0
    chosen.send(signal.SIGTERM)
    return await _kill(chosen, 0, before=chance.uniform(0, 0.4))


async def broker(victim: Cluster, chance: random.Random) -> int:
    """The broker, under load; whoever runs goes on when it is back."""
    victim.excuse()
    victim.broker.kill()
    await asyncio.sleep(chance.choice((0, chance.uniform(0, 3))))
    await victim.start_broker()
    return 1


async def broker_paused(victim: Cluster, chance: random.Random) -> int:
    """The broker stands still, sometimes for longer than anybody waits for an answer."""
    victim.excuse()
    victim.broker.pause()
    await asyncio.sleep(chance.uniform(0.5, PAUSE_SECONDS_MAX))
    victim.broker.resume()
    return 1


async def broker_and_worker(victim: Cluster, chance: random.Random) -> int:
    """Broker and worker within a moment, in either order: a commit is left hanging."""
    victim.excuse()
    chosen = chance.choice(victim.workers)
    if chance.random() < 0.5:
        victim.broker.kill()
        await asyncio.sleep(chance.uniform(0, 0.05))
        await chosen.kill()
    else:
        await chosen.kill()
        await asyncio.sleep(chance.uniform(0, 0.3))
        victim.broker.kill()
    await victim.start_broker()
    await chosen.start()
    return 2


async def refused(victim: Cluster, chance: random.Random) -> int:
    """The broker refuses whatever is larger than a small entry, for a moment."""
    async with victim.small_messages():
        await asyncio.sleep(chance.uniform(0.5, 2))
    return 1


async def postgres(victim: Cluster, chance: random.Random) -> int:
    """Postgres, with all read models and claims' locks; what is fenced is fenced by Kafka alone meanwhile."""
    victim.excuse()
    victim.postgres.kill()
    await asyncio.sleep(chance.choice((0, chance.uniform(0, 2))))
    await victim.postgres.ready()
    return 1


async def _kill(chosen: Child, after: float, before: float = 0) -> int:
    await asyncio.sleep(before)
    await chosen.kill()
    await asyncio.sleep(after)
    await chosen.start()
    return 1


MOVES: Final[Moves[Cluster]] = (
    (worker, 25),
    (broker, 14),
    (zombie, 8),
    (api, 8),
    (broker_and_worker, 8),
    (both_workers, 7),
    (worker_starting, 7),
    (projector, 6),
    (hand_over, 6),
    (broker_paused, 6),
    (postgres, 6),
    (nap, 5),
    (refused, 4),
    (zombie_killed, 4),
)
"""With how often each is chosen."""

SHORT: Final[Moves[Cluster]] = ((worker, 3), (broker, 1), (zombie, 1), (api, 1), (hand_over, 1))
"""Those of the short form, each made at least once."""

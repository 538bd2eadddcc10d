"""From the kill -9 of a worker to the first new entry on its tapes, decided by another worker. On Kafka."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from daemon.database import Database
from daemon.domain import ids
from daemon.domain.commands import Deposit
from streams.log.claim_locks import CLAIMS
from streams.log.kafka_writers import TapeWriter
from tests.benchmarks import inputs
from tests.benchmarks.figures import Figure, main
from tests.kill.kafka.cluster import TAPES, Cluster
from tests.kill.victims import Child
from tests.support.kafka.archive import prepare
from tests.support.kafka.java import KafkaMissingError

KILLS: Final = 10
OWNER: Final = "taken"
SECONDS_BETWEEN: Final = 0.02
"""Between two inputs of one tape."""
BACK_SECONDS_MAX: Final = 60.0

_HOLDERS: Final = """
SELECT lock.objid::int AS tape, session.application_name AS name
FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 2 AND lock.classid = $1::int::oid
"""


async def run() -> Sequence[Figure]:
    """Ten kills of a worker that holds two of four tapes, each of which gets an input every 20 ms."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        kit = await asyncio.to_thread(prepare)
    except KafkaMissingError as error:
        print(f"take-over is not measured: {error}", file=sys.stderr)
        return []
    folder = Path(tempfile.mkdtemp(prefix="tapefold-bench-"))
    cluster = Cluster(kit, folder, random.Random(0))
    try:
        await cluster.start()
        taken = await _kill_all(cluster)
    finally:
        await cluster.abandon()
        shutil.rmtree(folder, ignore_errors=True)
    return [
        Figure("kill -9 of a worker to a new entry on its tapes, p50", statistics.median(taken), "ms", 1000),
        Figure("kill -9 of a worker to a new entry on its tapes, most", max(taken), "ms"),
    ]


async def _kill_all(cluster: Cluster) -> list[float]:
    """Milliseconds for each tape of each killed worker."""
    writer = TapeWriter(cluster.brokers)
    database = await Database.open(cluster.postgres.url(), "tapefold benchmark", connections_max=1)
    watch = Watch(cluster)
    await watch.start()
    feeds = [asyncio.create_task(_feed(writer, tape)) for tape in range(TAPES)]
    taken: list[float] = []
    try:
        for number in range(KILLS):
            victim = cluster.workers[number % len(cluster.workers)]
            tapes = await _tapes_of(database, victim)
            await watch.seen()
            began = time.perf_counter()
            await victim.kill()
            at = await watch.entries_after(tapes, began)
            taken += [(each - began) * 1000 for each in at]
            print(f"  kill {number + 1}: {[round((each - began) * 1000) for each in at]} ms", file=sys.stderr)
            await victim.start()
            await victim.ready()
    finally:
        for feed in feeds:
            feed.cancel()
        await watch.stop()
        await writer.close()
        await database.close()
    return taken


async def _feed(writer: TapeWriter, tape: int) -> None:
    # It is denied, for there is no such agent: an entry like any other, and the state stays small.
    command = Deposit(agent_id=inputs.agent(0, OWNER), lamports=1)
    for number in itertools.count():
        given = inputs.encoded(command, ids.derive(OWNER, str(tape), str(number)), OWNER)
        await writer.append(tape, [given])
        await asyncio.sleep(SECONDS_BETWEEN)


async def _tapes_of(database: Database, worker: Child) -> list[int]:
    """The tapes that it holds, as soon as they are half of all."""
    async with asyncio.timeout(BACK_SECONDS_MAX):
        while True:
            rows = await database.pool.fetch(_HOLDERS, CLAIMS)
            held = [row["tape"] for row in rows if row["name"].endswith(f"pid {worker.pid}")]
            if len(held) == TAPES // 2:
                return held
            await asyncio.sleep(0.05)


class Watch:
    """When the newest entry of each journal could be read."""

    def __init__(self, cluster: Cluster) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=cluster.broker.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=500,
        )
        journal = cluster.brokers.journal
        self._consumer.assign([TopicPartition(journal, tape) for tape in range(TAPES)])
        self._at: dict[int, float] = {}
        self._epochs: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch from now on."""
        await self._consumer.start()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
        await self._consumer.stop()

    async def seen(self) -> None:
        """Return when each journal had an entry."""
        async with asyncio.timeout(BACK_SECONDS_MAX):
            while len(self._epochs) < TAPES:
                await asyncio.sleep(0.002)

    async def entries_after(self, tapes: Sequence[int], began: float) -> list[float]:
        """When each of these journals had its first entry under a later claim than before."""
        before = {tape: self._epochs[tape] for tape in tapes}
        async with asyncio.timeout(BACK_SECONDS_MAX):
            while not all(self._epochs[tape] > before[tape] and self._at[tape] > began for tape in tapes):
                await asyncio.sleep(0.002)
        return [self._at[tape] for tape in tapes]

    async def _watch(self) -> None:
        while True:
            for where, records in (await self._consumer.getmany(timeout_ms=500)).items():
                now, tape = time.perf_counter(), where.partition
                for each in records:
                    key = each.key.split()
                    # A claim itself is no entry: it has no value.
                    if len(key) == 4 and each.value is not None and int(key[3]) != self._epochs.get(tape):
                        self._epochs[tape], self._at[tape] = int(key[3]), now


if __name__ == "__main__":
    main(run)

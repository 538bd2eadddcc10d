"""What runs on many machines, all of it on one: broker, Postgres, workers, a projector, APIs."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.log import kafka_topics as topics
from streams.log.kafka_address import Brokers, parse_url
from tests.kill.choosing import WrongExit
from tests.kill.victims import Child, free_port
from tests.support.kafka.kit import Kit
from tests.support.kafka.server import Broker
from tests.support.postgres import Server

TAPES: Final = 4
WORKERS: Final = 2
APIS: Final = 2
SMALL_BYTES_MAX: Final = 1_500
"""Larger than the entries that deny something, smaller than those that trade for several agents."""


class Cluster:
    """Two workers, a projector and two APIs on a broker and a Postgres of their own."""

    def __init__(
        self, kit: Kit, folder: Path, chance: random.Random, launcher: Sequence[str] = ("ops.cli",)
    ) -> None:
        self.broker = Broker(kit, folder / "broker")
        self.brokers: Brokers = parse_url(self.broker.url)
        self.postgres = Server()
        self.settings = {
            "TAPEFOLD_LOG": self.broker.url,
            "TAPEFOLD_DATABASE_URL": self.postgres.url(),
            "TAPEFOLD_LOG_FORMAT": "json",
        }
        self.workers = [
            Child(f"worker-{number}", folder, ("worker",), self.settings, launcher)
            for number in range(WORKERS)
        ]
        self.projector = Child("projector", folder, ("projector",), self.settings, launcher)
        ports = [free_port(chance.randrange(10_000)) for _ in range(APIS)]
        self.apis = [
            Child(f"api-{number}", folder, ("api", "--port", str(port)), self.settings, launcher)
            for number, port in enumerate(ports)
        ]
        self.bases = [f"http://127.0.0.1:{port}" for port in ports]
        self.children = [*self.workers, self.projector, *self.apis]

    async def start(self) -> None:
        """Start all, in no order of ours: whoever comes first does what all need."""
        self.broker.start()
        await self.postgres.ready()
        await self.broker.ready()
        await topics.create(self.brokers, TAPES)
        await asyncio.gather(*(child.start() for child in self.children))
        await self.ready()

    async def ready(self) -> None:
        """Return when each process has come up."""
        await asyncio.gather(*(child.ready() for child in self.children))

    def excuse(self) -> None:
        """Broker or Postgres is away: a start may fail."""
        for child in self.children:
            child.excuse()

    async def start_broker(self) -> None:
        """Start the broker, and return when it answers."""
        self.broker.start()
        await self.broker.ready()

    @asynccontextmanager
    async def small_messages(self) -> AsyncIterator[None]:
        """Meanwhile the journal's topic takes no batch but small ones."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        await admin.start()
        try:
            await self._limit(admin, SMALL_BYTES_MAX)
            yield
            await self._limit(admin, int(topics.JOURNAL["max.message.bytes"]))
        finally:
            await admin.close()

    async def _limit(self, admin: AIOKafkaAdminClient, size: int) -> None:
        # Whatever is not named falls back to the broker's own, which suits one broker.
        changed = {**topics.JOURNAL, "max.message.bytes": str(size)}
        name = self.brokers.journal
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=changed)])

    async def hand_over(self, child: Child) -> None:
        """SIGTERM: it must exit with 0."""
        child.send(signal.SIGTERM)
        code = await child.end()
        if code != 0:
            raise WrongExit(f"SIGTERM ended life {child.lives} of {child.name} with code {code}")

    async def abandon(self) -> None:
        """Whatever still runs ends."""
        for child in self.children:
            await child.kill()
        self.broker.kill()
        self.postgres.remove()

"""Faust's way to Kafka, with what it does wrong put right. All of it reaches into the pinned version.

- It reads what is not committed, also what never will be: there is no setting for that.
- It takes the record behind a gap for a part of the gap, and its commits fall behind for good.
- After a rebalance it may hand on records that it drops a moment later: it fetches nothing meanwhile.
- It starts from its commits: a hint at best. It starts from what the tapes say instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Producer, Transport
from faust.types import TP

PAUSE_SECONDS: Final = 0.01

Places = Callable[[AbstractSet[TP]], Awaitable[Mapping[TP, int]]]
"""The offset that each of these partitions goes on with."""


class EdgeThread(AIOKafkaConsumerThread):
    """Reads only what is committed."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Handed on to its fetcher when that starts, which is later.
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        return consumer


class EdgeConsumer(Consumer):
    """Starts where it is told, and loses nothing on the way."""

    def _new_consumer_thread(self) -> EdgeThread:
        return EdgeThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        await super()._add_gap(tp, offset_from, offset_to - 1)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if self.app.rebalancing:
            await asyncio.sleep(PAUSE_SECONDS)
            return {}
        return await super()._getmany(active_partitions, timeout)

    async def perform_seek(self) -> None:
        """Go on with the first record of each partition that was not dealt with."""
        assigned = self.assignment()
        transport = self.transport
        assert isinstance(transport, EdgeTransport)  # noqa: S101 - it has made this
        places = await transport.places(assigned) if assigned else {}
        await self.seek_wait(places)
        for tp, place in places.items():
            self._read_offset[tp] = place if place > 0 else None
            self._committed_offset[tp] = place if place > 0 else None


class EdgeProducer(Producer):
    """Stores once and in order, by all replicas in sync."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True, "retry_backoff_ms": 20}


class EdgeTransport(Transport):
    """All of these together."""

    Consumer = EdgeConsumer
    Producer = EdgeProducer
    places: Places

"""The engines that the contract suite asks, each with a way to come at its log as another process would."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

from daemon.database import Database
from daemon.records import Sealed
from streams.log.contract import Log
from streams.log.embedded import EmbeddedLog
from streams.log.kafka import KafkaLog
from streams.log.kafka_address import parse_url
from streams.log.kafka_topics import create, delete
from streams.log.memory import MemoryLog

TAPES = 2


class Engine(Protocol):
    """Makes `Log`s on one store of `TAPES` empty tapes."""

    one_process: bool
    """Whether all that `open` gives is the same object, whose claims cannot be held by another."""

    async def open(self) -> Log:
        """Another log on the same store."""

    async def close(self) -> None:
        """Close all that was opened."""


class MemoryEngine:
    one_process = True

    def __init__(self) -> None:
        times = itertools.count(1_700_000_000_000)
        self._log = MemoryLog(lambda: next(times), TAPES)

    async def open(self) -> Log:
        return self._log

    async def close(self) -> None:
        await self._log.close()


class EmbeddedEngine:
    """With partitions so small that tests cross many, and a tail so short that it is often left."""

    one_process = False

    def __init__(self, url: str, partition_offsets: int = 16, tail_bytes: int = 4_000) -> None:
        self._url = url
        self._partition_offsets = partition_offsets
        self._tail_bytes = tail_bytes
        self._opened: list[tuple[Database, EmbeddedLog]] = []

    async def open(self) -> Log:
        database = await Database.open(self._url, "tapefold test", connections_max=4)
        if not self._opened:
            await database.pool.execute(
                f"UPDATE tape.settings SET tapes = {TAPES}, partition_offsets = {self._partition_offsets};"
                f"INSERT INTO tape.heads (tape) VALUES (1); INSERT INTO tape.journal_heads (tape) VALUES (1)"
            )
        log = await EmbeddedLog.open(database, tail_bytes=self._tail_bytes)
        self._opened.append((database, log))
        return log

    async def close(self) -> None:
        for database, log in self._opened:
            await log.close()
            await database.close()


class KafkaEngine:
    """Topics of its own at a broker, with a tail so short that it is often left."""

    one_process = False

    def __init__(self, url: str, database_url: str, tail_bytes: int = 8_000) -> None:
        self.brokers = parse_url(url)
        self._database_url = database_url
        self._tail_bytes = tail_bytes
        self._opened: list[tuple[Database, KafkaLog]] = []

    async def open(self) -> Log:
        if not self._opened:
            await create(self.brokers, TAPES)
        database = await Database.open(self._database_url, "tapefold test", connections_max=1)
        log = await KafkaLog.open(self.brokers, database, TAPES, tail_bytes=self._tail_bytes)
        self._opened.append((database, log))
        return log

    async def close(self) -> None:
        for database, log in self._opened:
            await log.close()
            await database.close()
        await delete(self.brokers)


def entry(tape_offset: int, parts: int = 1, text: str = "") -> Sealed:
    """An entry of some parts that a log can store; no chain."""
    return Sealed(tape_offset, tuple(f"{tape_offset}.{part} {text}".encode() for part in range(parts)), "")


def inputs(*texts: str) -> Sequence[bytes]:
    return [text.encode() for text in texts]

"""The edges of a log on Kafka, as stages of a process: intake from outside, and publishers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from api.outside import SignalJudge
from daemon.settings import PREFIX
from ops.errors import StartError
from ops.roles import Role
from ops.supervision import AGAIN_SECONDS
from ops.wiring import Daemon
from projections.origins import list_passed
from projections.progress import get_progress
from streams.edges.intake import OutsideIntake
from streams.edges.names import EdgeTopics, edge_topics
from streams.edges.publisher import Publisher, PublisherEnded
from streams.edges.topics import prepare_intake, prepare_publisher
from streams.log.claim_locks import PUBLISHERS, ClaimLocks
from streams.log.contract import ClaimHeld, Log, LogUnavailable
from streams.log.kafka import KafkaLog
from streams.log.kafka_topics import TopicsRefused

BEHIND_MS_MAX: Final = 12 * 3_600_000
"""How far the read models may be behind when intake starts: half of the time for which ids are remembered."""

_log = structlog.get_logger("edges")


class TooFarBehind(Exception):
    """The read models are too far behind to tell where intake goes on."""


async def prepare(log: Log, role: Role) -> None:
    """Make sure of the topics that this role needs. Raises `StartError` with one line for the user."""
    kafka_log, topics = _kafka(log)
    try:
        if role.takes_in:
            await prepare_intake(kafka_log.brokers, topics, log.tapes)
        if role.publishes:
            await prepare_publisher(kafka_log.brokers, topics, log.tapes)
    except (TopicsRefused, LogUnavailable) as error:
        raise StartError(f"{PREFIX}LOG: {error}") from error


def start_edges(daemon: Daemon, ended: asyncio.Event) -> list[asyncio.Task[None]]:
    """Begin the stages at the edges that this process has."""
    stages = []
    if daemon.role.takes_in:
        stages.append(asyncio.create_task(_take_in(daemon, ended), name="intake"))
    if daemon.role.publishes:
        stages.append(asyncio.create_task(_publish_all(daemon, ended), name="publisher"))
    return stages


async def _take_in(daemon: Daemon, ended: asyncio.Event) -> None:
    kafka_log, topics = _kafka(daemon.installation.log)
    pool = daemon.installation.database.pool
    for tape in range(kafka_log.tapes):
        await _check_projected(daemon, tape)

    async def positions() -> Mapping[int, int]:
        return await list_passed(pool, topics.signals)

    intake = OutsideIntake(
        kafka_log.brokers,
        topics,
        daemon.instance,
        SignalJudge(pool),
        daemon.intake,
        positions,
        daemon.metrics,
    )
    await intake.run(ended)


async def _check_projected(daemon: Daemon, tape: int) -> None:
    """Ids of a record taken in again must still be remembered: then it is harmless."""
    log = daemon.installation.log
    head = await log.head(tape)
    if head.tape < 0:
        return
    progress = await get_progress(daemon.installation.database.pool, tape)
    first = 0 if progress is None else progress.tape_offset
    if first >= head.tape:
        return
    [oldest] = await log.read_tape(tape, first, 1)
    [newest] = await log.read_tape(tape, head.tape - 1, 1)
    if newest.at - oldest.at > BEHIND_MS_MAX:
        raise TooFarBehind(
            f"the read models of tape {tape} are more than 12 h behind: start when they are not"
        )


async def _publish_all(daemon: Daemon, ended: asyncio.Event) -> None:
    locks = ClaimLocks(daemon.installation.database, PUBLISHERS)
    try:
        async with asyncio.TaskGroup() as group:
            for tape in range(daemon.installation.log.tapes):
                group.create_task(_publish(daemon, tape, locks, ended))
    finally:
        await locks.close()


async def _publish(daemon: Daemon, tape: int, locks: ClaimLocks, ended: asyncio.Event) -> None:
    """Run a tape's publisher while no other process does."""
    kafka_log, topics = _kafka(daemon.installation.log)
    publisher = Publisher(kafka_log.brokers, topics, kafka_log, tape, daemon.metrics)
    while not ended.is_set():
        try:
            await locks.take(tape, "publisher")
        except (ClaimHeld, LogUnavailable):
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        try:
            await publisher.run(ended)
        except (PublisherEnded, LogUnavailable) as error:
            _log.warning("publisher begins anew", tape=tape, error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            await locks.give(tape)


def _kafka(log: Log) -> tuple[KafkaLog, EdgeTopics]:
    assert isinstance(log, KafkaLog)  # noqa: S101 - checked before anything was opened
    return log, edge_topics(log.brokers)

"""Our topics: made with the settings without which a log is none, and checked at every start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.log import kafka_connection as kafka
from streams.log.contract import LogUnavailable
from streams.log.kafka_address import Brokers

REPLICAS: Final = 3
"""Of each partition, where there are so many brokers."""
LOOK_SECONDS: Final = 0.02

_KEEP: Final = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
    "max.message.bytes": str(kafka.FETCH_BYTES_MAX),
    "compression.type": "producer",
}
TAPE: Final[Mapping[str, str]] = _KEEP | {"message.timestamp.type": "LogAppendTime"}
JOURNAL: Final[Mapping[str, str]] = _KEEP | {"message.timestamp.type": "CreateTime"}


class TopicsRefused(Exception):
    """Topics are missing, or not as they must be; the message is one line for the user."""


async def cluster_id(brokers: Brokers) -> str:
    """What the cluster calls itself, at whatever address. Raises `LogUnavailable`."""
    async with connected(brokers) as admin:
        cluster = await kafka.ask("ask Kafka for its cluster", admin.describe_cluster())
        return str(cluster["cluster_id"])


async def create(brokers: Brokers, tapes: int) -> None:
    """Make both topics with so many partitions; one that exists stays as it is.

    Raises `LogUnavailable` or `TopicsRefused`.
    """
    async with connected(brokers) as admin:
        cluster = await kafka.ask("ask Kafka for its brokers", admin.describe_cluster())
        replicas = min(REPLICAS, len(cluster["brokers"]))
        extra = {"min.insync.replicas": str(max(replicas - 1, 1))}
        topics = [
            NewTopic(name, tapes, replicas, topic_configs={**settings, **extra})
            for name, settings in _topics(brokers)
        ]
        answer = await kafka.ask("make topics", admin.create_topics(topics))
        for name, code, reason in answer.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise TopicsRefused(f"Kafka refuses to make the topic {name}: {reason or for_code(code)}")
        # They are there for the controller at once, for the others a moment later.
        async with asyncio.timeout(kafka.ANSWER_SECONDS_MAX):
            while 0 in (await _partitions(brokers, admin)).values():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)


async def check(brokers: Brokers) -> int:
    """The number of tapes of these topics; 0 if there are none.

    Raises `LogUnavailable`, or `TopicsRefused` naming what is wrong in them and what would be right.
    """
    async with connected(brokers) as admin:
        partitions = await _partitions(brokers, admin)
        if not any(partitions.values()):
            return 0
        (tape, inputs), (journal, entries) = partitions.items()
        if inputs != entries:
            raise TopicsRefused(
                f"the topic {tape} has {inputs} partitions and {journal} has {entries}: both are made"
                f" together by `tapefold log create`, and never changed"
            )
        for name, wanted in _topics(brokers):
            _compare(name, await settings_of(admin, name), wanted)
        return inputs


async def delete(brokers: Brokers) -> None:
    """Remove both topics with all they hold. Raises `LogUnavailable`."""
    async with connected(brokers) as admin:
        names = [name for name, _ in _topics(brokers)]
        await kafka.ask("remove topics", admin.delete_topics(names))


def _topics(brokers: Brokers) -> tuple[tuple[str, Mapping[str, str]], ...]:
    return (brokers.tape, TAPE), (brokers.journal, JOURNAL)


def _compare(name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for setting, value in wanted.items():
        if found.get(setting) != value:
            raise TopicsRefused(
                f"the topic {name} has {setting}={found.get(setting)}, and needs {setting}={value}"
            )


async def _partitions(brokers: Brokers, admin: AIOKafkaAdminClient) -> Mapping[str, int]:
    """How many partitions each of our topics has; 0: there is none."""
    names = [name for name, _ in _topics(brokers)]
    described = await kafka.ask("ask Kafka for topics", admin.describe_topics(names))
    found: dict[str, Any] = {each["topic"]: each for each in described}
    return {name: len(found.get(name, {}).get("partitions", ())) for name in names}


async def settings_of(admin: AIOKafkaAdminClient, name: str) -> Mapping[str, str]:
    """A topic's settings as they hold now. Raises `LogUnavailable`."""
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    answers = await kafka.ask("ask Kafka for settings", admin.describe_configs([resource]))
    found: dict[str, str] = {}
    for answer in answers:
        for code, reason, _, _, entries in answer.resources:
            if code:
                raise LogUnavailable(f"cannot read the settings of {name}: {reason or for_code(code)}")
            found |= {entry[0]: entry[1] for entry in entries}
    return found


@asynccontextmanager
async def connected(brokers: Brokers) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for topics. Raises `LogUnavailable`."""
    admin = kafka.admin(brokers)
    try:
        await kafka.ask("connect to Kafka", admin.start())
        yield admin
    finally:
        with suppress(*kafka.TROUBLE):
            await admin.close()

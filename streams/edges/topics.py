"""The topics at the edges: made where they are missing, checked for what we rely on at every start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams.edges.names import EdgeTopics
from streams.log import kafka_connection as kafka
from streams.log.kafka_address import Brokers
from streams.log.kafka_topics import LOOK_SECONDS, REPLICAS, TopicsRefused, connected, settings_of

_DELETED: Final = {"cleanup.policy": "delete"}
_COMPACTED: Final = {"cleanup.policy": "compact"}
_STAMPED: Final = _DELETED | {"message.timestamp.type": "LogAppendTime"}


class _Wanted(NamedTuple):
    """What a topic must be like. What else is set there is its owner's affair."""

    settings: Mapping[str, str]
    partitions: int | None
    """None: any number."""


async def prepare_intake(brokers: Brokers, topics: EdgeTopics, tapes: int) -> int:
    """Make sure of the topics of the intake; how many partitions the signals have.

    Raises `TopicsRefused` or `LogUnavailable`.
    """
    # When a record came decides when its signal expires: that is not for who sends it to say.
    found = await _prepare(brokers, {topics.signals: _Wanted(_STAMPED, None)}, tapes)
    partitions = found[topics.signals]
    await _prepare(brokers, {topics.rejected: _Wanted(_DELETED, partitions)}, partitions)
    return partitions


async def prepare_publisher(brokers: Brokers, topics: EdgeTopics, tapes: int) -> None:
    """Make sure of the topics of the publisher: what a tape decided goes to the partition of its number.

    Raises `TopicsRefused` or `LogUnavailable`.
    """
    wanted = {
        name: _Wanted(_COMPACTED if told == "positions" else _DELETED, tapes)
        for told, name in topics.published.items()
    }
    await _prepare(brokers, {**wanted, topics.position: _Wanted(_COMPACTED, tapes)}, tapes)


async def _prepare(brokers: Brokers, wanted: Mapping[str, _Wanted], partitions: int) -> Mapping[str, int]:
    async with connected(brokers) as admin:
        found = await _partitions(admin, wanted)
        missing = {name: wanted[name] for name, count in found.items() if not count}
        if missing:
            await _create(admin, missing, partitions)
            async with asyncio.timeout(kafka.ANSWER_SECONDS_MAX):
                while 0 in (found := await _partitions(admin, wanted)).values():  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_SECONDS)
        for name, each in wanted.items():
            if each.partitions not in {None, found[name]}:
                raise TopicsRefused(
                    f"the topic {name} has {found[name]} partitions, and needs {each.partitions}"
                )
            has = await settings_of(admin, name)
            for setting, value in each.settings.items():
                if has.get(setting) != value:
                    raise TopicsRefused(
                        f"the topic {name} has {setting}={has.get(setting)}, and needs {setting}={value}"
                    )
        return found


async def _create(admin: AIOKafkaAdminClient, missing: Mapping[str, _Wanted], partitions: int) -> None:
    cluster = await kafka.ask("ask Kafka for its brokers", admin.describe_cluster())
    replicas = min(REPLICAS, len(cluster["brokers"]))
    extra = {"min.insync.replicas": str(max(replicas - 1, 1))}
    topics = [
        NewTopic(name, each.partitions or partitions, replicas, topic_configs={**each.settings, **extra})
        for name, each in missing.items()
    ]
    answer = await kafka.ask("make topics", admin.create_topics(topics))
    for name, code, reason in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise TopicsRefused(f"Kafka refuses to make the topic {name}: {reason or for_code(code)}")


async def _partitions(admin: AIOKafkaAdminClient, names: Mapping[str, _Wanted]) -> dict[str, int]:
    described = await kafka.ask("ask Kafka for topics", admin.describe_topics(list(names)))
    found = {each["topic"]: len(each["partitions"]) for each in described}
    return {name: found.get(name, 0) for name in names}

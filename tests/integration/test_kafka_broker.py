"""The broker that tests and `make kafka` run: started, killed, paused, side by side, in the foreground."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka.archive import with_archive
from tests.support.kafka.kit import Kit
from tests.support.kafka.ports import free_port, is_free
from tests.support.kafka.server import Broker, BrokerFailedError, Endpoint

WAIT_SECONDS_MAX = 60.0
ROOT = Path(__file__).resolve().parents[2]
# A process that starts a broker and waits for its own end.
STARTER = """
import sys, time
from pathlib import Path
from tests.support.kafka.archive import prepare
from tests.support.kafka.server import Broker
broker = Broker(prepare(), Path(sys.argv[1]))
broker.start()
broker.wait_ready()
if sys.argv[2] == "paused":
    broker.pause()
print(broker.endpoint.port, flush=True)
time.sleep(600)
"""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not await condition():
            await asyncio.sleep(0.02)


async def freed(port: int) -> None:
    async def free() -> bool:
        return is_free(port)

    await until(free)


async def make_topic(bootstrap: str, name: str, configs: dict[str, str] | None = None) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def has_partition() -> bool:
        (topic,) = await admin.describe_topics([name])
        return len(topic["partitions"]) == 1

    try:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=configs or {})])
        await until(has_partition)
    finally:
        await admin.close()


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def values(bootstrap: str, topic: str) -> list[bytes]:
    """All records of the topic's only partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        consumer.seek(partition, 0)
        return [(await consumer.getone()).value for _ in range(end)]
    finally:
        await consumer.stop()


@contextmanager
def child(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def foreground(folder: Path, port: int) -> tuple[str | Path, ...]:
    return "-m", "tests.support.kafka", "--dir", folder, "--port", str(port)


async def test_the_shared_broker_keeps_what_it_acknowledges(
    kafka_broker: Endpoint, kafka_prefix: str
) -> None:
    """The broker that all tests share takes topics and records, and gives them back in order."""
    topic = f"{kafka_prefix}-topic"
    await make_topic(kafka_broker.bootstrap, topic)
    async with producing(kafka_broker.bootstrap) as producer:
        for value in (b"a", b"b"):
            await producer.send_and_wait(topic, value)
    assert await values(kafka_broker.bootstrap, topic) == [b"a", b"b"]


async def test_the_log_can_stamp_the_time(kafka_broker: Endpoint, kafka_prefix: str) -> None:
    """In a topic with LogAppendTime the broker's time replaces the client's, as the tape wants it."""
    topic = f"{kafka_prefix}-topic"
    await make_topic(kafka_broker.bootstrap, topic, {"message.timestamp.type": "LogAppendTime"})
    async with producing(kafka_broker.bootstrap) as producer:
        stamped = await producer.send_and_wait(topic, b"a", timestamp_ms=1)
    assert stamped.timestamp_type == 1
    assert stamped.timestamp > 1_700_000_000_000


async def test_topics_are_made_on_purpose_only(kafka_broker: Endpoint, kafka_prefix: str) -> None:
    """Asking for an unknown topic does not make it, so that no topic has settings which nobody chose."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)
    await admin.start()
    try:
        await admin.describe_topics([f"{kafka_prefix}-topic"])
        assert f"{kafka_prefix}-topic" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_a_killed_broker_comes_back_with_its_data(own_kafka_broker: Broker) -> None:
    """After kill -9 the broker starts again at the same address, with all that it acknowledged."""
    bootstrap = own_kafka_broker.bootstrap
    await make_topic(bootstrap, "topic")
    async with producing(bootstrap) as producer:
        await producer.send_and_wait("topic", b"before")
    own_kafka_broker.kill()
    assert not await own_kafka_broker.answers()

    own_kafka_broker.start()
    await own_kafka_broker.ready()
    async with producing(bootstrap) as producer:
        await producer.send_and_wait("topic", b"after")
    assert await values(bootstrap, "topic") == [b"before", b"after"]


async def test_a_stopped_broker_comes_back_with_its_data(own_kafka_broker: Broker) -> None:
    """After an orderly stop, of a paused broker too, it starts again with its data."""
    await make_topic(own_kafka_broker.bootstrap, "topic")
    async with producing(own_kafka_broker.bootstrap) as producer:
        await producer.send_and_wait("topic", b"before")
    own_kafka_broker.pause()
    own_kafka_broker.stop()
    assert not own_kafka_broker.running

    own_kafka_broker.start()
    await own_kafka_broker.ready()
    assert await values(own_kafka_broker.bootstrap, "topic") == [b"before"]


async def test_a_paused_broker_is_silent_until_it_goes_on(own_kafka_broker: Broker) -> None:
    """A paused broker lives and answers nothing; when it goes on, it answers."""
    own_kafka_broker.pause()
    assert own_kafka_broker.running
    assert not await own_kafka_broker.answers(within_seconds=0.5)

    own_kafka_broker.resume()
    await until(own_kafka_broker.answers)


async def test_two_brokers_stand_side_by_side(new_kafka_broker: Callable[[], Broker]) -> None:
    """Brokers of one test have ports and data of their own, and one's death is not the other's."""
    one, other = new_kafka_broker(), new_kafka_broker()
    one.start()
    other.start()
    await asyncio.gather(one.ready(), other.ready())
    assert one.url != other.url
    await make_topic(one.bootstrap, "topic")
    await make_topic(other.bootstrap, "topic")
    async with producing(one.bootstrap) as producer:
        await producer.send_and_wait("topic", b"one")
    assert await values(one.bootstrap, "topic") == [b"one"]
    assert await values(other.bootstrap, "topic") == []

    one.kill()
    assert await other.answers()


@pytest.mark.parametrize("state", ["running", "paused"])
async def test_a_broker_dies_with_the_process_that_started_it(
    kafka_kit: Kit, tmp_path: Path, state: str
) -> None:
    """Kill -9 of the process that started a broker ends the broker, be it paused."""
    with child("-c", STARTER, tmp_path, state) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert not is_free(port)
        process.kill()
        await freed(port)


def test_an_archive_that_is_damaged_costs_time_only(kafka_kit: Kit, tmp_path: Path) -> None:
    """An archive of classes that is cut off, of which Java would die, is made anew and brokers start."""
    kit = replace(kafka_kit, cache=tmp_path / "cache")
    shutil.copytree(kafka_kit.formatted, kit.formatted)
    assert kafka_kit.archive is not None
    archive = kit.cache / kafka_kit.archive.name
    whole = kafka_kit.archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    shutil.copy(kafka_kit.archive.with_suffix(".sha256"), kit.cache)

    kit = with_archive(kit)
    assert kit.archive == archive
    assert archive.stat().st_size > len(whole) // 2
    broker = Broker(kit, tmp_path / "broker")
    try:
        broker.start()
        broker.wait_ready()
    finally:
        broker.remove()
        shutil.rmtree(kit.cache)


async def test_without_an_archive_a_broker_starts(kafka_kit: Kit, tmp_path: Path) -> None:
    """Where Java makes no archive of classes, brokers start without one."""
    broker = Broker(replace(kafka_kit, archive=None), tmp_path)
    try:
        broker.start()
        await broker.ready()
    finally:
        broker.remove()


async def test_a_broker_that_cannot_start_says_why(kafka_kit: Kit, tmp_path: Path) -> None:
    """A broker that ends while it starts is reported at once, with its last error and its log."""
    broker = Broker(kafka_kit, tmp_path, settings={"process.roles": "gardener"})
    broker.start()
    with pytest.raises(BrokerFailedError, match=r"gardener.*broker\.log"):
        await broker.ready()
    assert not broker.running


async def test_in_the_foreground_the_data_outlive_it(kafka_kit: Kit, tmp_path: Path) -> None:
    """`make kafka` prints its address, ends cleanly on SIGTERM and SIGINT, and has its data the next time."""
    port = free_port()
    for number, kept in ((signal.SIGTERM, []), (signal.SIGINT, [b"kept"])):
        with child(*foreground(tmp_path / "kafka", port)) as process:
            assert process.stdout is not None
            assert f"kafka://127.0.0.1:{port}\n" in process.stdout.readline()
            assert str(tmp_path / "kafka") in process.stdout.readline()
            bootstrap = f"127.0.0.1:{port}"
            if not kept:
                await make_topic(bootstrap, "topic")
                async with producing(bootstrap) as producer:
                    await producer.send_and_wait("topic", b"kept")
            else:
                assert await values(bootstrap, "topic") == kept
            process.send_signal(number)
            assert process.wait(WAIT_SECONDS_MAX) == 0
            assert is_free(port)


def test_in_the_foreground_a_port_in_use_is_one_line(kafka_kit: Kit, tmp_path: Path) -> None:
    """`make kafka` on a port that somebody has ends at once and says how to name another."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with child(*foreground(tmp_path, port)) as process:
            told, complaint = process.communicate(timeout=WAIT_SECONDS_MAX)
    assert process.returncode == 1
    assert told == ""
    assert complaint.count("\n") == 1
    assert f"port {port}" in complaint
    assert "KAFKA_PORT=" in complaint

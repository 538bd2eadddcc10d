"""Brokers for tests: one that all share, and others that a test has for itself and may kill.

Without Java or Maven these tests are skipped, loudly; with TAPEFOLD_REQUIRE_KAFKA=1 they fail instead.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kafka.archive import prepare
from tests.support.kafka.java import KafkaMissingError
from tests.support.kafka.kit import Kit
from tests.support.kafka.server import Broker, Endpoint
from tests.support.kafka.shared import Asked, Hosted, Source

REQUIRE = "TAPEFOLD_REQUIRE_KAFKA"
SKIPPED = "No Kafka: "

_required = pytest.StashKey[bool]()
_source = pytest.StashKey[Source]()


def pytest_configure(config: pytest.Config) -> None:
    """Read the environment before TAPEFOLD_* is wiped, and find out who hosts the broker."""
    config.stash[_required] = os.environ.get(REQUIRE, "0") not in {"", "0"}
    worker = getattr(config, "workerinput", None)
    config.stash[_source] = Asked(worker["tapefold_kafka"]) if worker else Hosted()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the broker with the run."""
    source = config.stash.get(_source, None)
    if source is not None:
        source.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where to ask."""
    source = node.config.stash[_source]
    assert isinstance(source, Hosted)
    node.workerinput["tapefold_kafka"] = source.listen()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a broker, so that -m 'not kafka' leaves it out."""
    for item in items:
        # Some choose by a parameter, and ask for a broker only then.
        chosen = getattr(getattr(item, "callspec", None), "params", {}).values()
        if "kafka_kit" in getattr(item, "fixturenames", ()) or any(value == "kafka" for value in chosen):
            item.add_marker("kafka")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what is missing now, where no time limit of a test counts."""
    if session.config.option.collectonly or not any(
        item.get_closest_marker("kafka") for item in session.items
    ):
        return
    try:
        prepare()
    except KafkaMissingError:
        # The tests themselves will say so.
        return


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that cannot be overlooked: how much was not tested, and how to get it."""
    reasons = [
        report.longrepr[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and SKIPPED in report.longrepr[2]
    ]
    if reasons:
        what = reasons[0].partition(SKIPPED)[2]
        terminalreporter.write_line(
            f"NOT TESTED WITHOUT KAFKA: {len(reasons)} tests were skipped. {what}", red=True, bold=True
        )


@pytest.fixture(scope="session")
def kafka_kit(pytestconfig: pytest.Config) -> Kit:
    """What brokers are started from. Without Java or Maven the test is skipped, or fails where required."""
    try:
        return prepare()
    except KafkaMissingError as error:
        if pytestconfig.stash[_required]:
            pytest.fail(f"{error} ({REQUIRE} is set)", pytrace=False)
        pytest.skip(f"{SKIPPED}{error}")


@pytest.fixture(scope="session")
def kafka_broker(kafka_kit: Kit, pytestconfig: pytest.Config) -> Endpoint:
    """The broker that all tests of a run share: not to be harmed, and each test takes topics of its own."""
    return pytestconfig.stash[_source].endpoint()


_prefixes = itertools.count()


@pytest.fixture
def kafka_prefix() -> str:
    """A beginning of names for topics, groups and transactional ids that no other test of the run has."""
    return f"test-{os.getpid()}-{next(_prefixes)}"


@pytest.fixture
def new_kafka_broker(kafka_kit: Kit, tmp_path: Path) -> Iterator[Callable[[], Broker]]:
    """Makes brokers of this test alone, not yet started, which it may kill and pause."""
    made: list[Broker] = []

    def make() -> Broker:
        made.append(Broker(kafka_kit, tmp_path / f"kafka-{len(made)}"))
        return made[-1]

    yield make
    for broker in made:
        broker.remove()


@pytest.fixture
def own_kafka_broker(new_kafka_broker: Callable[[], Broker]) -> Broker:
    """A running broker of this test alone, which it may kill and pause."""
    broker = new_kafka_broker()
    broker.start()
    broker.wait_ready()
    return broker

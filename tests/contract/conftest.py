"""Every engine, for the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streams.log.contract import Log
from tests.support.logs import EmbeddedEngine, Engine, KafkaEngine, MemoryEngine

ENGINES = ("memory", "embedded", "kafka")


@pytest.fixture(params=ENGINES)
def _made(request: pytest.FixtureRequest) -> Engine:
    # Not async: the database is made by a fixture that runs a loop of its own.
    if request.param == "memory":
        return MemoryEngine()
    if request.param == "embedded":
        return EmbeddedEngine(request.getfixturevalue("database_url"))
    broker, prefix = (request.getfixturevalue(name) for name in ("kafka_broker", "kafka_prefix"))
    return KafkaEngine(f"{broker.url}/{prefix}", request.getfixturevalue("database_url"))


@pytest.fixture
async def engine(_made: Engine) -> AsyncIterator[Engine]:
    """An engine on a store with empty tapes."""
    yield _made
    await _made.close()


@pytest.fixture
async def log(engine: Engine) -> Log:
    """A log of that engine."""
    return await engine.open()

"""`docker-compose.yml` says what the tests have run, in the words of the Compose specification."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from daemon.settings import Settings
from ops.roles import API, WORKER
from streams.log.kafka_address import parse_url
from streams.log.kafka_topics import connected
from tests.support.compose import faults
from tests.support.kafka.kit import Kit
from tests.support.kafka.server import SETTINGS, Broker
from tests.support.served import serve, trading

ROOT = Path(__file__).resolve().parents[2]
# Where a broker listens and keeps its data is its own in each place.
PLACES = ("listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs", "process.roles")


# It comes with pre-commit, and without types.
yaml: Any = importlib.import_module("yaml")


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def kafka_settings() -> Mapping[str, str]:
    """The broker's settings, as the official image makes them of its environment."""
    environment = compose()["services"]["kafka"]["environment"]
    found = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }
    return {name: value for name, value in found.items() if name not in PLACES}


def test_it_is_a_compose_file() -> None:
    """It is what the specification's schema allows; what is not is found."""
    document = compose()
    assert faults(document) == []
    document["services"]["api"]["portz"] = ["4000:4000"]
    document["services"]["api"]["depends_on"]["kafka"]["condition"] = "ready"
    document["services"]["kafka"]["environment"] = "A=b"
    assert len(faults(document)) >= 3


def test_its_broker_is_that_of_the_tests() -> None:
    """The version is that of our jars, and a setting that both name has one value."""
    pom = (ROOT / "tests" / "support" / "kafka" / "pom.xml").read_text(encoding="utf-8")
    version = compose()["services"]["kafka"]["image"].removeprefix("apache/kafka:")
    assert f">{version}<" in pom
    settings = kafka_settings()
    assert {name: value for name, value in settings.items() if str(SETTINGS.get(name, value)) != value} == {}


def test_its_processes_and_settings_are_ours() -> None:
    """Worker and API are roles that there are, with settings and services that there are."""
    services = compose()["services"]
    assert [services[name]["command"] for name in ("worker", "api")] == [[WORKER.name], [API.name]]
    for name in ("worker", "api"):
        assert set(services[name]["depends_on"]) == {"kafka", "postgres"}
        given = services[name]["environment"]
        known = {field: given[f"TAPEFOLD_{field.upper()}"] for field in Settings.model_fields if
                 f"TAPEFOLD_{field.upper()}" in given}  # fmt: skip
        assert len(known) == len(given)
        url = known["database_url"].replace("${POSTGRES_PASSWORD:-tapefold}", "tapefold")
        assert parse_url(Settings(**{**known, "database_url": url}).log).servers == ("kafka:9092",)
        grace = int(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace > Settings().drain_seconds


def test_its_image_copies_each_package() -> None:
    """The image holds the packages of the project and the pins that are tested, and runs as no root."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for package in ("daemon", "streams", "projections", "api", "ops"):
        assert f"COPY {package} {package}" in lines
    assert "COPY requirements.lock ./" in lines
    assert "USER tapefold" in lines


@pytest.mark.slow
async def test_a_broker_with_its_settings_carries_a_daemon(
    kafka_kit: Kit, tmp_path: Path, database_url: str
) -> None:
    """A real broker takes every one of them by its name, and a daemon trades on it."""
    settings = kafka_settings()
    broker = Broker(kafka_kit, tmp_path / "kafka", settings=settings)
    try:
        broker.start()
        await broker.ready()
        async with connected(parse_url(broker.url)) as admin:
            (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, "1")])
        found = {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
        assert {name: found.get(name) for name in settings} == settings
        async with serve(database_url, settings=Settings(log=broker.url)) as served:
            await (await trading(await served.client("admin"))).buy()
    finally:
        broker.remove()

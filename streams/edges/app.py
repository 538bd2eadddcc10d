"""One Faust app on our own loop: never its worker or command line, which would take over the process.

Whatever happens that is not foreseen ends the process at once. It holds nothing that is not on a tape or in a
topic, and what it was doing is done again by the next start.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import faust
import structlog

from streams.edges.transport import EdgeTransport, Places
from streams.log.kafka_address import Brokers

SOFTWARE_ERROR: Final = 70
"""The exit code (EX_SOFTWARE) of a process that met what it did not foresee."""
START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 5.0
SESSION_SECONDS: Final = 6.0
"""How long a member of the group may be silent before its partitions go to another."""

_log = structlog.get_logger("edges")

Take = Callable[[Any], Awaitable[None]]
"""Takes one of Faust's events; whoever has dealt with it acknowledges it."""


class EdgeApp(faust.App):
    """Keeps nothing on disk."""

    def _create_directories(self) -> None:
        """Make no folder: there are no tables."""


def make_app(
    brokers: Brokers, group: str, instance: str, topic: str, *, places: Places, take: Take
) -> faust.App:
    """An app with one agent on one topic, as one member of a group under a name that stays the same."""
    # They tell of each step, and what goes wrong ends in our hands anyhow.
    for name in ("faust", "mode", "streams.edges"):
        logging.getLogger(name).setLevel("ERROR")
    app = EdgeApp(
        group,
        broker=[f"kafka://{server}" for server in brokers.servers],
        processing_guarantee="at_least_once",
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        datadir=Path("/nonexistent"),
        topic_disable_leader=True,
        topic_allow_declare=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=1.0,
        broker_request_timeout=10.0,
        producer_linger=0,
    )
    transport = EdgeTransport(app.conf.broker_consumer, app)
    transport.places = places
    app.transport = transport
    app.producer_transport = EdgeTransport(app.conf.broker_producer, app)

    async def agent(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await take(event)
        except Exception as error:  # noqa: BLE001 - Faust would skip the event and go on
            die("the agent failed", error)

    app.agent(app.topic(topic, internal=False), name=f"{group}.agent")(agent)
    return app


@asynccontextmanager
async def running(app: faust.App) -> AsyncIterator[None]:
    """Run the app; if it ends by itself, the process does."""
    try:
        await asyncio.wait_for(app.start(), START_SECONDS_MAX)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost by it
        die("Faust does not start", error)
    watching = asyncio.create_task(_watch(app), name="faust")
    try:
        yield
    finally:
        watching.cancel()
        try:
            await asyncio.wait_for(app.stop(), STOP_SECONDS_MAX)
        except Exception as error:  # noqa: BLE001 - as above
            die("Faust does not stop", error)


async def _watch(app: faust.App) -> None:
    await app.wait_until_stopped()
    die("Faust has stopped", app.crash_reason)


def die(what: str, error: BaseException | None = None) -> NoReturn:
    """End the process now."""
    _log.error(
        "ending the process",
        why=what,
        error="" if error is None else f"{type(error).__name__}: {error}",
        exc_info=error,
    )
    logging.shutdown()
    os._exit(SOFTWARE_ERROR)

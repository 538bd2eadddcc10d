"""`tapefold log copy`: an installation moved to Kafka and back, and what refuses or interrupts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from daemon.domain.values import Owner
from daemon.settings import Settings
from ops.cli import log_copy, rebuild
from ops.cli.verify import verify
from ops.errors import StartError
from ops.installation import read_settings
from streams.log import copying
from streams.log.copying import CopyFailed
from streams.log.embedded_filling import EmbeddedTarget
from streams.log.kafka_address import parse_url
from streams.log.kafka_filling import KafkaTarget
from streams.log.kafka_topics import check, delete
from streams.standing import tape_of
from tests.support.cli import Cli
from tests.support.kafka.server import Endpoint
from tests.support.postgres import Databases
from tests.support.served import serve, trading

INPUTS = 'SELECT tape, "offset", at, data FROM tape.inputs ORDER BY tape, "offset"'
ENTRIES = 'SELECT tape, "offset", tape_offset, data FROM tape.entries ORDER BY tape, "offset"'
HEADS = "SELECT tape, next_offset, reached FROM tape.journal_heads ORDER BY tape"


def owners(tapes: int) -> list[str]:
    """An owner for each tape."""
    found: dict[int, str] = {}
    for number in range(100):
        found.setdefault(tape_of(Owner(f"owner {number}"), tapes), f"owner {number}")
    return [found[tape] for tape in range(tapes)]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def rows(url: str, *queries: str) -> list[list[tuple[Any, ...]]]:
    async with connected(url) as connection:
        return [[tuple(row) for row in await connection.fetch(query)] for query in queries]


async def hashes(url: str) -> Mapping[str, str]:
    """A hash over all rows of each read model, but for the number that each fold's writer takes anew."""
    async with connected(url) as connection:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'read'")
        return {
            name: await connection.fetchval(
                f"SELECT md5(coalesce(string_agg(row, '|' ORDER BY row), '')) FROM"
                f" (SELECT (to_jsonb(t) - 'generation')::text AS row FROM read.{name} AS t) AS rows"
            )
            for (name,) in names
        }


async def bound(url: str) -> str:
    ((found,),) = (await rows(url, "SELECT log FROM tape.settings"))[0]
    return str(found)


async def trade(url: str, settings: Settings, tapes: int) -> None:
    """Let an agent on each tape trade, its stop too, with a daemon that is gone afterwards."""
    async with serve(url, settings=settings, tapes=tapes) as served:
        for owner in owners(tapes):
            agent = await trading(
                await served.client("admin", owner=owner), {"stopLoss": {"enabled": True, "percent": "10"}}
            )
            await agent.buy()
            await agent.buy()
        await agent.price("0.0059")
        await agent.buy()


@pytest.fixture
async def kafka_url(kafka_broker: Endpoint, kafka_prefix: str) -> AsyncIterator[str]:
    """Topics that are not there yet, and are gone after the test."""
    url = f"{kafka_broker.url}/{kafka_prefix}"
    yield url
    await delete(parse_url(url))


class Moving:
    """The commands on one installation, in this process: each as a process of its own would cost seconds."""

    def __init__(self, patch: pytest.MonkeyPatch, database_url: str, home: Path) -> None:
        patch.setenv("TAPEFOLD_DATABASE_URL", database_url)
        patch.setenv("TAPEFOLD_HOME", str(home))
        self._patch = patch

    async def copy(self, source: str, target: str, *, replace: bool = False) -> None:
        await log_copy._move(None, source, log_copy._place("--to", target), replace=replace)

    async def are_sound(self, log: str) -> None:
        """The log's chain holds, and the read models are its fold."""
        self._patch.setenv("TAPEFOLD_LOG", log)
        await verify(read_settings())
        assert await rebuild._check(None) == []


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path) -> Moving:
    return Moving(monkeypatch, database_url, tmp_path / "home")


@pytest.mark.parametrize("tapes", [1, 4])
async def test_a_move_to_kafka_and_back_changes_nothing(
    database_url: str, moving: Moving, kafka_url: str, tapes: int
) -> None:
    """Bytes, offsets and times are the same there and back, and so are the read models before and after."""
    await trade(database_url, Settings(), tapes)
    before = await hashes(database_url)
    inputs, entries, heads = await rows(database_url, INPUTS, ENTRIES, HEADS)

    await moving.copy("embedded", kafka_url)
    with pytest.raises(StartError, match="this database belongs to the log 'kafka"):
        await moving.are_sound("embedded")
    await moving.are_sound(kafka_url)
    await rebuild._rebuild(None)
    assert await hashes(database_url) == before

    await trade(database_url, Settings(log=kafka_url), tapes)
    later = await hashes(database_url)
    with pytest.raises(StartError, match="delete it by --replace"):
        await moving.copy(kafka_url, "embedded")
    await moving.copy(kafka_url, "embedded", replace=True)
    await moving.are_sound("embedded")
    assert await hashes(database_url) == later
    found_inputs, found_entries, found_heads = await rows(database_url, INPUTS, ENTRIES, HEADS)
    assert len(found_inputs) > len(inputs)
    assert set(inputs) <= set(found_inputs)
    assert set(entries) <= set(found_entries)
    assert len(found_heads) == len(heads) == tapes
    # What came to Kafka itself has the brokers' times, behind those that were copied.
    for tape in range(tapes):
        times = [at for number, _, at, _ in found_inputs if number == tape]
        assert times == sorted(times)
    await trade(database_url, Settings(), tapes)


async def test_it_is_refused_while_anybody_works(
    database_url: str, moving: Moving, tmp_path: Path, kafka_url: str
) -> None:
    """A trader, and a process that only appends and so holds no claim, must both be stopped."""
    async with serve(database_url):
        with pytest.raises(StartError, match="the daemon must be stopped for this: tape 0 is held by"):
            await moving.copy("embedded", kafka_url)
    api = await asyncpg.connect(database_url, server_settings={"application_name": "tapefold api"})
    try:
        with pytest.raises(StartError, match="connected to the database: tapefold api"):
            await moving.copy("embedded", kafka_url)
    finally:
        await api.close()
    assert await bound(database_url) == "embedded"
    assert await check(parse_url(kafka_url)) == 0

    said = await Cli(tmp_path / "home", database_url).run(
        "log", "copy", "--from", "embedded", "--to", kafka_url
    )
    assert (said.code, said.err) == (0, "")
    told, last = said.out.splitlines()
    assert told.startswith("tape 0: 0 inputs, 0 records, the same on both: 0000")
    assert last == f"this database belongs to {kafka_url} now: set TAPEFOLD_LOG={kafka_url}"


async def test_a_target_that_holds_a_log_is_refused(
    database_url: str, databases: Databases, template: str, moving: Moving, kafka_url: str
) -> None:
    """Topics in which anything was ever stored are somebody's log, and stay as they are."""
    other = await databases.create(template)
    try:
        await trade(other, Settings(log=kafka_url), 1)
        await trade(database_url, Settings(), 1)
        with pytest.raises(StartError, match="hold another log: name another prefix"):
            await moving.copy("embedded", kafka_url)
        assert await bound(database_url) == "embedded"
        await trade(other, Settings(log=kafka_url), 1)
    finally:
        await databases.drop(other)


async def fail(*_: Any) -> None:
    raise CopyFailed("cut short")


@pytest.mark.parametrize(
    ("owner", "name"),
    [(KafkaTarget, "end"), (KafkaTarget, "seal"), (copying, "check")],
    ids=["end", "seal", "check"],
)
async def test_a_copy_to_kafka_that_was_cut_short_is_begun_again(
    database_url: str, moving: Moving, kafka_url: str, owner: Any, name: str
) -> None:
    """Wherever it ends, the database still belongs to its log and trades on; then the same again moves it."""
    await trade(database_url, Settings(), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(StartError, match="cut short; the database still belongs to the old log"):
            await moving.copy("embedded", kafka_url)
    assert await bound(database_url) == "embedded"
    await trade(database_url, Settings(), 1)
    before = await hashes(database_url)
    await moving.copy("embedded", kafka_url)
    await moving.are_sound(kafka_url)
    assert await hashes(database_url) == before


@pytest.mark.parametrize(
    ("owner", "name"), [(EmbeddedTarget, "end"), (copying, "check")], ids=["end", "check"]
)
async def test_a_copy_back_that_was_cut_short_is_begun_again(
    database_url: str, moving: Moving, kafka_url: str, owner: Any, name: str
) -> None:
    """What it left in the tables is known to be its own, and is deleted by the next try."""
    settings = Settings(log=kafka_url)
    await trade(database_url, settings, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(StartError, match="cut short"):
            await moving.copy(kafka_url, "embedded")
    await trade(database_url, settings, 1)
    await moving.copy(kafka_url, "embedded")
    await moving.are_sound("embedded")


async def test_a_copy_that_differs_is_found(database_url: str, kafka_url: str, moving: Moving) -> None:
    """An input whose time did not come along is a difference: nothing is bound to such a copy."""
    await trade(database_url, Settings(), 1)
    put = KafkaTarget.put_inputs

    async def late(self: KafkaTarget, tape: int, inputs: Any) -> None:
        await put(self, tape, [each._replace(at=each.at + 1) for each in inputs])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KafkaTarget, "put_inputs", late)
        with pytest.raises(StartError, match="has other inputs, or other times of them"):
            await moving.copy("embedded", kafka_url)
    assert await bound(database_url) == "embedded"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "embedded", "--to", "embedded"), "--to: is the log that --from names"),
        (("--from", "memory", "--to", "embedded"), "--from: must be embedded or kafka://"),
        (("--from", "embedded", "--to", "kafka://h:0"), "--to: needs host:port"),
    ],
)
async def test_wrong_places_are_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """What cannot be a log is told before anything is opened."""
    said = await Cli(tmp_path / "home").run("log", "copy", *arguments)
    assert said.code == 2
    assert says in said.one_line()

"""`tapefold log create` and `tapefold log show`, on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.cli import log
from ops.errors import StartError
from ops.installation import read_settings, use_installation
from streams.log.kafka_address import parse_url
from streams.log.kafka_topics import check
from tests.support.cli import Cli
from tests.support.kafka.server import Endpoint
from tests.support.served import serve


@pytest.fixture(params=["embedded", "kafka"])
def log_url(request: pytest.FixtureRequest) -> str:
    """A log that is not made yet, on each engine."""
    if request.param == "embedded":
        return "embedded"
    broker: Endpoint = request.getfixturevalue("kafka_broker")
    return f"{broker.url}/{request.getfixturevalue('kafka_prefix')}"


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPEFOLD_DATABASE_URL", database_url)
    monkeypatch.setenv("TAPEFOLD_HOME", str(tmp_path / "home"))


async def test_the_number_of_tapes_is_fixed_when_it_is_made(
    log_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made with three tapes it has three at every start; again is the same, and another number is refused."""
    monkeypatch.setenv("TAPEFOLD_LOG", log_url)
    assert await log._create(None, 3) == await log._create(None, 3)
    with pytest.raises(StartError, match="the log has 3 tapes, not 4: their number is fixed when it is made"):
        await log._create(None, 4)
    async with use_installation(read_settings(), "tapefold test") as installation:
        assert installation.log.tapes == 3
        await installation.log.append(2, [b"{}"])
    if log_url != "embedded":
        assert await check(parse_url(log_url)) == 3
    shown = await log._show(None)
    assert [(each.tape, each.last_input, each.epoch) for each in shown.tapes] == [
        (0, -1, 0), (1, -1, 0), (2, 0, 0),
    ]  # fmt: skip


async def test_who_works_on_a_tape_is_shown(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a running daemon the holder of a claim is named; without one nobody is."""
    cli = Cli(tmp_path / "home", database_url)
    async with serve(database_url):
        said = await cli.run("log", "show", "--json")
    assert (said.code, said.err) == (0, "")
    shown = json.loads(said.out)
    assert shown["log"] == "embedded"
    (tape,) = shown["tapes"]
    assert (tape["last_input"], tape["reached"], tape["last_record"], tape["epoch"]) == (-1, -1, -1, 1)
    assert "trader" in tape["trader"]
    told = await cli.run("log", "show")
    assert told.out.splitlines()[0] == "embedded: 1 tape"
    assert told.out.splitlines()[2].split() == ["0", "-1", "-1", "-1", "1", "-", "-"]


@pytest.mark.parametrize("tapes", ["0", "1001", "x"])
async def test_a_wrong_number_of_tapes_is_exit_code_2(tmp_path: Path, tapes: str) -> None:
    """What no log can have is told before anything is made."""
    said = await Cli(tmp_path / "home").run("log", "create", "--tapes", tapes)
    assert said.code == 2
    assert "--tapes: must be a whole number from 1 to 1000" in said.one_line()
    assert not (tmp_path / "home").exists()


async def test_the_first_command_makes_home_and_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home there is one afterwards, whose embedded log has the tapes that were asked for."""
    monkeypatch.delenv("TAPEFOLD_DATABASE_URL")
    cli = Cli(tmp_path / "home")
    said = await cli.run("log", "create", "--tapes", "2")
    assert (said.code, said.out, said.err) == (0, "embedded: 2 tapes\n", "")
    assert (await cli.run("log", "show")).out.startswith("embedded: 2 tapes\n")

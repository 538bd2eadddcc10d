"""The command line itself: help, version, wrong options and settings, and an address that cannot be had."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import Cli

COMMANDS = (
    (), ("up",), ("verify",), ("why",), ("rebuild",), ("demo",), ("halted",), ("halted", "drop"),
    ("keys",), ("keys", "create"), ("keys", "list"), ("keys", "revoke"),
    ("log",), ("log", "create"), ("log", "show"), ("log", "copy"),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
async def test_help_is_whole(tmp_path: Path, command: tuple[str, ...]) -> None:
    """No summary is cut short on a terminal of 80 columns, and no placeholder is the name of a type."""
    said = await Cli(tmp_path / "home").run(*command, "--help")
    assert (said.code, said.err) == (0, "")
    assert "..." not in said.out.replace("[ARGS]...", "")
    assert re.search(r"<\w+>|\b(TEXT|INTEGER|PATH)\b|default: \(", said.out) is None
    assert max(map(len, said.out.splitlines())) <= 80


async def test_the_version_is_told(tmp_path: Path) -> None:
    """`--version` names program and version, and makes nothing."""
    said = await Cli(tmp_path / "home").run("--version")
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(r"tapefold \d+\.\d+\.\d+\S*\n", said.out)
    assert not (tmp_path / "home").exists()


def test_help_imports_no_part_of_the_daemon() -> None:
    """Help and version are quick: neither the parts below nor their libraries are imported for them."""
    script = (
        "import sys; import ops.cli.commands as c\n"
        "try: c.app(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'asyncpg', 'aiohttp', 'sqlalchemy', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("up", "--port", "abc"), "--port: must be a whole number from 0 to 65535, not 'abc'"),
        (("up", "--port", "70000"), "--port: must be a whole number from 0 to 65535, not '70000'"),
        (("up", "--feed-loop"), "--feed-loop: there is no price file to replay"),
        (("up", "--feed-speed", "2"), "--feed-speed: there is no price file to replay"),
        (("up", "--feed", "x", "--feed-speed", "fast"), "--feed-speed: must be a number from 0 to 1,000,000"),
        (("demo", "--port", "-"), "--port: must be a whole number from 0 to 65535, not '-'"),
        (("halted", "drop", "x", "--reason", "r"), "OFFSET: must be a whole number from 0 on, not 'x'"),
        (("halted", "drop", "1", "--reason", "r", "--tape", "x"), "--tape: must be a whole number"),
        (("halted", "drop", "1", "--reason", " "), "--reason: must be 1 to 500 printable characters"),
    ],
)
async def test_a_wrong_option_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """A wrong value on the command line is told in our own words, before anything is made."""
    said = await Cli(tmp_path / "home").run(*arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.one_line()
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("arguments", [("up", "--nope"), ("nope",), ("why",), ("halted", "drop", "1")])
async def test_what_the_parser_refuses_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """An unknown option or command and a missing one end with 2, like a wrong value."""
    said = await Cli(tmp_path / "home").run(*arguments)
    assert (said.code, said.out) == (2, "")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "abc", "must be a whole number from 0 to 65535, not 'abc'"),
        ("PORT", "4000.5", "must be a whole number from 0 to 65535, not '4000.5'"),
        ("POSTGRES_RESTARTS_PER_MINUTE", "-1", "must be a whole number from 0 to 100, not '-1'"),
        ("DRAIN_SECONDS", "nan", "must be a number from 0 to 600, not 'nan'"),
        ("LOG_LEVEL", "loud", "must be one of debug, info, warning, error, not 'loud'"),
        ("LOG_FORMAT", "xml", "must be one of auto, json, console, not 'xml'"),
        ("LOG", "nowhere", "must be embedded"),
        ("HOST", "", "must be some text, not ''"),
    ],
)
async def test_a_wrong_setting_is_told_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    """A wrong variable ends with 1 and one line: its name, what would be right and what was given."""
    monkeypatch.setenv(f"TAPEFOLD_{name}", value)
    said = await Cli(tmp_path / "home").run("up")
    assert (said.code, said.out) == (1, "")
    assert said.one_line().startswith(f"TAPEFOLD_{name}: ")
    assert says in said.one_line()
    assert "input" not in said.err


async def test_an_address_that_cannot_be_had_names_its_setting(tmp_path: Path) -> None:
    """A port in use and an address that is not ours say by what option and variable to change it."""
    cli = Cli(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = await cli.run("up", "--port", port)
    assert (said.code, said.out) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}: the port is in use" in said.one_line()
    for part in ("--port", "TAPEFOLD_PORT", 'make up UP_ARGS="--port 4001"'):
        assert part in said.err
    for host in ("192.0.2.1", "nowhere.invalid", "a..b"):
        said = await cli.run("up", "--port", "0", "--host", host)
        assert (said.code, said.out) == (1, "")
        assert "--host or TAPEFOLD_HOST" in said.one_line()
        assert "--port" not in said.err

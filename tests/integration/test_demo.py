from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from daemon.domain.values import SOL
from ops.demo.candles import SHIPPED
from ops.demo.story import CANDLE_SECONDS, CAST, LAST_CANDLE, MINTS, STORY, Close
from ops.home import Home
from ops.postgres.place import OUTSIDE, remove_database
from streams.sources.rows import Row, read_rows

COMMAND = (sys.executable, "-m", "ops.cli", "demo")
SECONDS_MAX = 110


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(read_rows(path.name, "s", file))


def processes_naming(text: str) -> list[str]:
    """Command lines of running processes that hold the text; none where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


# --- the data --------------------------------------------------------------------------------------------


def test_the_shipped_candles_are_in_order() -> None:
    """The shipped file is a sound feed: four mints, made from their pairs, and a candle every 5 minutes."""
    rows = rows_of(SHIPPED)
    assert Counter(row.reading.mint for row in rows) == dict.fromkeys(MINTS.values(), LAST_CANDLE + 1)
    times = sorted({row.time for row in rows})
    assert {later - earlier for earlier, later in pairwise(times)} == {CANDLE_SECONDS * 1000}
    assert SHIPPED.stat().st_size < 150_000


def test_the_story_stays_with_its_data() -> None:
    """Every step of the story names a shipped token and a part, and comes in order before the candles end."""
    assert {step.symbol for step in STORY} == set(MINTS)
    assert {step.agent for step in STORY if isinstance(step, Close)} <= {part.name for part in CAST}
    candles = [step.candle for step in STORY]
    assert candles == sorted(candles)
    assert candles[-1] < LAST_CANDLE


# --- the demo itself -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_once_trades_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """`--once` works without a terminal, prints every fill, exits 0, and stops and removes what it made."""
    done = subprocess.run(
        [*COMMAND, "--once"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    fills = re.findall(r"^\d\d:\d\d:\d\d  fill    (.+?) (?:buys|sells) ", done.stdout, re.MULTILINE)
    table = re.findall(r"^[│|] ([A-Z].*?) +[│|] +(\d+) [│|]", done.stdout, re.MULTILINE)
    assert Counter(fills) == {name: int(count) for name, count in table}
    assert {name for name, _ in table} == {part.name for part in CAST}
    for kind in (
        "(entry)",
        "(stop_loss)",
        "(manual)",
        "rule min_strength",
        "rule balance",
        "rule already_open",
    ):
        assert kind in done.stdout

    assert [path.name for path in tmp_path.iterdir()] == []
    found = re.search(r"--home (\S+)", done.stdout)
    assert found is not None
    assert processes_naming(found[1]) == []
    # Root's database lies outside the home, under a name that follows from it.
    assert not (OUTSIDE / digest(found[1])).exists()
    assert processes_naming(digest(found[1])) == []


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """A port that was asked for and is taken ends the demo with exit 1 and one line that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--home", str(tmp_path / "home"), "--port", port],
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"tapefold: cannot listen on 127.0.0.1:{port}")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_a_demo_that_stays_is_one_to_use(tmp_path: Path) -> None:
    """The printed curl line posts a signal; SIGTERM ends all with 0; the next goes on, or begins anew."""
    home = tmp_path / "home"
    with staying(home) as (demo, curl):
        posted = json.loads(subprocess.run(["bash", "-c", curl], capture_output=True, check=True).stdout)
        assert posted["symbol"] == "ADA"
        assert demo.stdout is not None
        assert any("fill" in line and "ADA" in line for line in demo.stdout)
        deposits = ask(home, curl, "/agent-transactions?transactionType=DEPOSIT")
    with staying(home, goes_on=True) as (_, curl):
        assert [agent["name"] for agent in reversed(ask(home, curl, "/agents"))] == [
            part.name for part in CAST
        ]
        assert ask(home, curl, "/agent-transactions?transactionType=DEPOSIT") == deposits
        assert sum(Decimal(row["inputAmount"]) for row in deposits if row["inputMint"] == SOL) == sum(
            Decimal(part.deposit) for part in CAST
        )
    with staying(home, "--fresh") as (_, curl):
        assert len(ask(home, curl, "/agents")) == len(CAST)
        assert posted["id"] not in {signal["id"] for signal in ask(home, curl, "/trading-signals")}
    assert processes_naming(str(home)) == []
    made = Home.open(home)
    with made.lock():
        remove_database(made)  # refuses while the database runs


def test_fresh_deletes_only_what_a_demo_made(tmp_path: Path) -> None:
    """A home that no demo made is refused by `--fresh`, with one line, and stays as it is."""
    home = tmp_path / "home"
    (Home.open(home).path / "admin.key").write_text("mine")
    done = subprocess.run(
        [*COMMAND, "--home", str(home), "--fresh"],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("tapefold: --fresh deletes only what a demo made")
    assert (home / "admin.key").read_text() == "mine"


@contextmanager
def staying(home: Path, *options: str, goes_on: bool = False) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that stays, and the curl line that it prints; told to end, and seen to end well.

    It says that it goes on with the agents of an earlier one if and only if it does.
    """
    with subprocess.Popen(
        [*COMMAND, "--home", str(home), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        try:
            assert demo.stdout is not None
            said = []
            for line in demo.stdout:
                said.append(line)
                if line.startswith("curl "):
                    break
            curl = said[-1] if said else ""
            assert curl.startswith("curl "), demo.stderr.read() if demo.stderr else ""
            assert any(f"going on with the {len(CAST)} agents" in line for line in said) is goes_on
            yield demo, curl
        finally:
            demo.send_signal(signal.SIGTERM)
            _, errors = demo.communicate(timeout=SECONDS_MAX)
    assert (demo.returncode, errors) == (0, "")


def ask(home: Path, curl: str, path: str) -> Any:
    found = re.search(r"http://\S+?/api/v1", curl)
    assert found is not None
    key = (home / "admin.key").read_text().strip()
    request = urllib.request.Request(found[0] + path, headers={"X-API-Key": key})  # noqa: S310 - 127.0.0.1
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
        return json.load(answer)


def digest(home: str) -> str:
    return sha256(os.fsencode(home)).hexdigest()[:16]

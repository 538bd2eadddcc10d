"""Without Java or Maven: what is said, what is skipped, and when it fails instead. No broker is started."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.kafka.jars import cache_folder, fetch
from tests.support.kafka.java import KafkaMissingError, find_java, find_maven

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 100
TEST = "tests/integration/test_kafka_broker.py::test_the_log_can_stamp_the_time"
# Notes that it was called, takes its time, and leaves what Maven would.
MVN = """
echo called >> "$CALLS"
for word; do case $word in -DoutputDirectory=*) folder=${word#*=} ;; esac; done
mkdir "$folder" && echo one > "$folder/one.jar" && sleep 0.1 && echo two > "$folder/two.jar"
"""


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def java(folder: Path, version: str) -> Path:
    return program(folder, "java", f"""echo 'openjdk version "{version}" 2024-01-16' >&2""")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the PATH, empty; no JAVA_HOME, and a cache of the test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def test_without_java_one_line_says_what_to_install(on_path: Path) -> None:
    """Without Java the message is one line with what is missing and the packages to install."""
    with pytest.raises(KafkaMissingError) as raised:
        find_java()
    line = str(raised.value)
    assert "\n" not in line
    for word in ("Java 17", "apt-get install openjdk-17-jre-headless maven", "brew install openjdk maven"):
        assert word in line


def test_without_maven_one_line_says_what_to_install(on_path: Path) -> None:
    """Without Maven, too, the message is one line with what is missing and the packages to install."""
    with pytest.raises(
        KafkaMissingError, match=r"^[^\n]*no mvn[^\n]*apt-get install[^\n]*brew install[^\n]*$"
    ):
        find_maven()


@pytest.mark.parametrize("version", ["11.0.22", "1.8.0_402"])
def test_an_old_java_is_named(on_path: Path, version: str) -> None:
    """A Java that is too old is not used, and the message says which it is and where it lies."""
    path = java(on_path, version)
    number = "8" if version.startswith("1.") else "11"
    with pytest.raises(KafkaMissingError, match=rf"{path} is Java {number}\)"):
        find_java()


def test_a_java_that_does_not_run_is_none(on_path: Path) -> None:
    """A `java` that only says where to get one, as on a new macOS, counts as none."""
    program(on_path, "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    with pytest.raises(KafkaMissingError, match="java is none"):
        find_java()


@pytest.mark.parametrize(("home", "found"), [("21.0.2", "home"), ("17", "home"), ("11.0.22", "path")])
def test_java_home_comes_first_where_it_is_new_enough(
    on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, found: str
) -> None:
    """JAVA_HOME is asked before the PATH, and one that is too old does not hide a newer one there."""
    paths = {"home": java(tmp_path / "home" / "bin", home), "path": java(on_path, "25-ea")}
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java().path == paths[found]


def test_the_jars_are_fetched_once(on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers at the same time all get the whole folder, and Maven runs once."""
    program(on_path, "mvn", f"PATH={os.defpath}\n{MVN}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    with ThreadPoolExecutor(4) as pool:
        folders = {future.result() for future in [pool.submit(fetch) for _ in range(4)]}
    (folder,) = folders
    assert sorted(path.name for path in folder.iterdir()) == ["one.jar", "two.jar"]
    assert folder.is_relative_to(tmp_path / "cache" / "tapefold")
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "called\n"


def test_jars_fetched_in_part_are_never_used(
    on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Maven fails half-way its first error is told, and the next call fetches all anew."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    program(on_path, "mvn", f"PATH={os.defpath}\n{MVN}\necho '[ERROR] no such host'; exit 1")
    with pytest.raises(KafkaMissingError, match="no such host"):
        fetch()
    assert not (cache_folder() / "jars").exists()

    program(on_path, "mvn", f"PATH={os.defpath}\n{MVN}")
    assert len(list(fetch().iterdir())) == 2


@pytest.mark.parametrize(("required", "code"), [("", 0), ("1", 1)])
def test_a_run_says_loudly_what_it_left_out(on_path: Path, tmp_path: Path, required: str, code: int) -> None:
    """Without Java a run ends with one line on what was skipped and why; where Kafka is required it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'run'}", TEST],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS_MAX,
        env={**os.environ, "TAPEFOLD_REQUIRE_KAFKA": required},
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    loud = [line for line in done.stdout.splitlines() if line.startswith("NOT TESTED WITHOUT KAFKA")]
    if required:
        assert loud == []
        assert "apt-get install" in done.stdout
    else:
        (line,) = loud
        assert "1 tests were skipped" in line
        assert "apt-get install" in line

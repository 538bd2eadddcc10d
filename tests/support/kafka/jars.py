"""Kafka's jars, fetched once by Maven into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.kafka.java import KafkaMissingError, find_maven

POM = Path(__file__).with_name("pom.xml")
FETCH_SECONDS_MAX = 900


def cache_folder() -> Path:
    """Where the jars of this very pom lie, and what is made from them. Made if it is missing."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = named if named.is_absolute() else Path.home() / ".cache"
    folder = base / "tapefold" / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KafkaMissingError(f"Kafka's jars need a cache, set XDG_CACHE_HOME: {error}") from None
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time changes that folder; the others wait. The dead hold no lock."""
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch() -> Path:
    """The folder of jars. Whole or not there at all; whoever comes second waits for the first."""
    cache = cache_folder()
    jars = cache / "jars"
    if jars.is_dir():
        return jars
    with locked(cache):
        if not jars.is_dir():
            part = cache / "jars.part"
            shutil.rmtree(part, ignore_errors=True)
            _run_maven(find_maven(), part)
            part.rename(jars)
    return jars


def _run_maven(maven: Path, folder: Path) -> None:
    try:
        done = subprocess.run(
            [maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", POM,
             "dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"],
            check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=FETCH_SECONDS_MAX, cwd=folder.parent,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise KafkaMissingError(f"Maven did not fetch Kafka's jars in {FETCH_SECONDS_MAX} s") from None
    if done.returncode or not any(folder.glob("*.jar")):
        said = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["it said nothing"]
        raise KafkaMissingError(f"Maven could not fetch Kafka's jars (is there a network?): {said[0]}")

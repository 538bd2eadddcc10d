"""What brokers are started from: Java, the jars, and what was made from the two once and for all.

Beside the jars lie a formatted data folder, to be copied, and an archive of loaded classes (`archive.py`).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.kafka.jars import cache_folder, fetch, locked
from tests.support.kafka.java import Java, KafkaMissingError, find_java

LOGGING = Path(__file__).with_name("log4j2.properties")
CLUSTER = "tapefold-test-cluster0"
"""Kafka wants 22 characters of base64. All brokers share it: none ever meets another."""
FORMAT_SECONDS_MAX = 120
MEMORY = ("-Xms64m", "-Xmx256m")


@dataclass(frozen=True)
class Kit:
    """All that a broker is started from."""

    java: Java
    jars: Path
    cache: Path
    archive: Path | None = None

    @property
    def class_path(self) -> str:
        """The jars by name, for an archive is bound to their order too."""
        return ":".join(str(jar) for jar in sorted(self.jars.glob("*.jar")))

    @property
    def formatted(self) -> Path:
        """A data folder that no broker has used yet: two small files."""
        return self.cache / "formatted"

    def command(self, main: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """How to run a program of Kafka's, small and quick to start."""
        archive = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive else []
        return [
            str(self.java.path), *MEMORY, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true",
            f"-Dlog4j2.configurationFile={LOGGING}", *archive, *options,
            "-cp", self.class_path, main, *arguments,
        ]  # fmt: skip


def find_kit() -> Kit:
    """Java, the jars and a formatted data folder, fetched and made where missing; no archive."""
    java = find_java()
    jars = fetch()
    kit = Kit(java, jars, cache_folder())
    if not kit.formatted.is_dir():
        with locked(kit.cache):
            if not kit.formatted.is_dir():
                _format(kit)
    return kit


def write_properties(path: Path, settings: Mapping[str, object]) -> None:
    """A file of settings as Java reads it."""
    lines = [f"{key}={value}".replace("\\", "\\\\") for key, value in settings.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _format(kit: Kit) -> None:
    part = kit.cache / "formatted.part"
    shutil.rmtree(part, ignore_errors=True)
    settings = kit.cache / "format.properties"
    write_properties(settings, {
        "process.roles": "broker,controller", "node.id": 1, "log.dirs": part,
        "controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@127.0.0.1:9093",
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    })  # fmt: skip
    done = subprocess.run(
        kit.command("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings)),
        check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=FORMAT_SECONDS_MAX,
    )  # fmt: skip
    if done.returncode:
        raise KafkaMissingError(f"Kafka could not format a data folder: {done.stdout.strip()[-500:]}")
    part.rename(kit.formatted)

"""The archive of loaded classes, which halves the time of a start: made once, by running a broker.

Java refuses one of another Java or class path and goes on without, but dies of one that is cut off: hence the
checksum. A damaged or missing one is made anew, which costs some seconds.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.support.kafka.jars import locked
from tests.support.kafka.kit import Kit, find_kit
from tests.support.kafka.server import Broker, BrokerFailedError

NONE = "none"
"""The checksum of an archive that is not there: all the same that of one that this Java does not make."""


def prepare() -> Kit:
    """A kit with everything that makes starts quick. Must not be called from inside a running loop."""
    return with_archive(find_kit())


def with_archive(kit: Kit) -> Kit:
    """That kit with a whole archive, made if needed; without one where Java makes none."""
    key = hashlib.sha256(f"{kit.java.path}\n{kit.java.version}\n{kit.class_path}".encode()).hexdigest()
    archive = kit.cache / f"classes-{key[:16]}.jsa"
    if not _is_as_made(archive):
        with locked(kit.cache):
            if not _is_as_made(archive):
                _make(kit, archive)
    return replace(kit, archive=archive if archive.exists() else None)


def _is_as_made(archive: Path) -> bool:
    noted = archive.with_suffix(".sha256")
    return noted.is_file() and noted.read_text(encoding="ascii") == _checksum(archive)


def _checksum(path: Path) -> str:
    if not path.exists():
        return NONE
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(kit: Kit, archive: Path) -> None:
    part = archive.with_suffix(".part")
    for old in (part, archive):
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="tapefold-kafka-") as folder:
        broker = Broker(
            replace(kit, archive=None), Path(folder), options=[f"-XX:ArchiveClassesAtExit={part}"]
        )
        try:
            broker.start()
            broker.wait_ready()
            broker.stop()
        except BrokerFailedError:
            # Whoever starts a broker for its own sake will be told.
            part.unlink(missing_ok=True)
        finally:
            broker.kill()
    archive.with_suffix(".sha256").write_text(_checksum(part), encoding="ascii")
    if part.exists():
        part.rename(archive)

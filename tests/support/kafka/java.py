"""The Java and the Maven of this machine, or one line that says what to install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

JAVA_MIN = 17
ASK_SECONDS_MAX = 30
VERSION = re.compile(r'version "(?:1\.)?(\d+)')
HOW = (
    "Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven (any newer JRE will do); "
    'macOS: brew install openjdk maven, then export JAVA_HOME="$(brew --prefix openjdk)"'
)


class KafkaMissingError(Exception):
    """No broker can run on this machine; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class Java:
    """A Java that is new enough, and all that it says about its version."""

    path: Path
    version: str


def find_java() -> Java:
    """The Java of JAVA_HOME, else of the PATH, whichever is new enough first."""
    seen = []
    for path in _candidates():
        version = _version(path)
        found = VERSION.search(version)
        if found and int(found[1]) >= JAVA_MIN:
            return Java(path, version)
        seen.append(f"{path} is {f'Java {found[1]}' if found else 'none'}")
    told = f" ({', '.join(seen)})" if seen else ""
    raise KafkaMissingError(f"Kafka needs Java {JAVA_MIN} or newer by JAVA_HOME or on the PATH{told}. {HOW}")


def find_maven() -> Path:
    """The `mvn` of the PATH."""
    found = shutil.which("mvn")
    if found is None:
        raise KafkaMissingError(f"Kafka's jars are fetched by Maven, and no mvn is on the PATH. {HOW}")
    return Path(found)


def _candidates() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    named = [Path(home) / "bin" / "java"] if home else []
    on_path = shutil.which("java")
    return [path for path in [*named, *([Path(on_path)] if on_path else [])] if path.is_file()]


def _version(path: Path) -> str:
    # Empty where it does not run: macOS ships a `java` that only says where to get one.
    try:
        asked = subprocess.run(
            [path, "-version"],
            check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=ASK_SECONDS_MAX,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stderr + asked.stdout

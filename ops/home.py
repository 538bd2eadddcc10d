"""The home: the folder that holds one installation's state, its format version and its lock."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.errors import StartError, refusal

# Raised by hand when an older Tapefold could not read what a newer one leaves in the home.
FORMAT_VERSION = 1

FACTS_NAME = "home.json"
LOCK_NAME = "lock"


class HomeInUse(StartError):
    """Another process holds the home's lock; `holder` is its pid and command, as it wrote them down."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"the home {path} is in use by {holder}; stop that first, or name another home with --home"
        )
        self.holder = holder


class Home:
    """An opened home. Made by `Home.open`."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        self._facts = facts
        self._lock: HomeLock | None = None

    @classmethod
    def open(cls, path: Path) -> Home:
        """The home at `path`, made if it is not there; raises StartError with one clear line."""
        try:
            # 0700 for a folder that we make. One that is there keeps its mode: it may not be ours.
            path.expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)
            real = path.expanduser().resolve(strict=True)
            facts = _read_facts(real)
            if facts is None:
                facts = {"version": FORMAT_VERSION}
                _write_facts(real, facts)
        except (FileExistsError, NotADirectoryError) as error:
            raise StartError(
                f"cannot use {path} as home: a file is in the way; name another home with --home"
            ) from error
        except OSError as error:
            raise refusal("use as home", path, error) from error
        return cls(real, facts)

    @property
    def database(self) -> Path | None:
        """The folder of this home's embedded database, once one was made; it may lie outside the home."""
        stored = self._facts.get("database")
        return self.path / str(stored) if stored else None

    @property
    def original(self) -> Path | None:
        """The home that this one was copied from, if that is still there; a home that was moved has none.

        A database outside the home does not come along with a copy: both would name the same one.
        """
        path = Path(self._facts.get("path", self.path))
        if path == self.path or not path.is_absolute():
            return None
        there = _read_facts(path)
        return path if there is not None and there.get("database") == self._facts.get("database") else None

    def remember_database(self, folder: Path | None) -> None:
        """Store where the database lies: inside the home relative, so that the home may be moved."""
        if folder is None:
            self._facts.pop("database", None)
        elif folder.is_relative_to(self.path):
            self._facts["database"] = str(folder.relative_to(self.path))
        else:
            self._facts["database"] = str(folder)
            self._facts["path"] = str(self.path)
        try:
            _write_facts(self.path, self._facts)
        except OSError as error:
            raise refusal("write to the home", self.path, error) from error

    @property
    def is_locked_by_us(self) -> bool:
        """Whether this object holds the home's lock."""
        return self._lock is not None and self._lock.is_held

    def lock(self, command: str | None = None) -> HomeLock:
        """Take the home for as long as the process lives, or until released; raises HomeInUse.

        `command` is what others are told; by default the program's name and first argument, never more
        of the command line than that.
        """
        self._lock = HomeLock(self.path, command or _own_command())
        return self._lock


class HomeLock:
    """The exclusive lock on a home. The kernel frees it when the process ends, however it ends."""

    def __init__(self, path: Path, command: str) -> None:
        # The file is never deleted: who unlinks a lock file lets two processes lock two files of one name.
        # The descriptor is not inherited by what we start, so a Postgres that outlives us locks nobody out.
        try:
            descriptor = open_private(path / LOCK_NAME, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise refusal("write to the home", path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} ({command})\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(descriptor, 500, 0).decode(errors="replace").strip()
            os.close(descriptor)
            # Empty for the moment between another's taking the lock and writing its name.
            raise HomeInUse(path, holder or "another process") from None
        except OSError as error:
            os.close(descriptor)
            raise refusal("lock the home", path, error) from error
        self._descriptor: int | None = descriptor

    @property
    def is_held(self) -> bool:
        """Whether it has not been released."""
        return self._descriptor is not None

    def release(self) -> None:
        """Let others have the home; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def default_home() -> Path:
    """Where the home is when nobody names one: `tapefold` in the user's data folder."""
    data = os.environ.get("XDG_DATA_HOME", "")
    if data.startswith("/"):  # The XDG specification: a relative path there is to be ignored.
        return Path(data) / "tapefold"
    try:
        return Path.home() / ".local" / "share" / "tapefold"
    except RuntimeError as error:
        raise StartError("this user has no home directory: name a home with --home") from error


def open_private(path: Path, flags: int) -> int:
    """Open a file of a home for its owner alone; not inherited by programs that we start."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        # Root in the home of an ordinary user: what root leaves there must not lock him out.
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def write_private(path: Path, content: str) -> None:
    """Write a file of mode 0600 whole or not at all: a crash leaves the old one or the new one."""
    making = path.with_name(f"{path.name}.{os.getpid()}.new")
    making.unlink(missing_ok=True)
    descriptor = open_private(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
    except OSError:
        making.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_facts(home: Path) -> dict[str, Any] | None:
    path = home / FACTS_NAME
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StartError(f"cannot use {home} as home: its {FACTS_NAME} is no JSON") from error
    version = facts.get("version") if isinstance(facts, dict) else None
    if not isinstance(version, int):
        raise StartError(f"cannot use {home} as home: its {FACTS_NAME} states no version")
    if version > FORMAT_VERSION:
        raise StartError(
            f"the home {home} was made by a newer Tapefold (format {version}, this one knows "
            f"{FORMAT_VERSION}): upgrade Tapefold, or name another home with --home"
        )
    return dict(facts)


def _write_facts(home: Path, facts: dict[str, Any]) -> None:
    write_private(home / FACTS_NAME, json.dumps(facts, sort_keys=True) + "\n")


def _own_command() -> str:
    return " ".join([Path(sys.argv[0]).name or "python", *sys.argv[1:2]])

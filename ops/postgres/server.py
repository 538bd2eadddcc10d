"""Starting the server on a place: its settings, its log, and why it failed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ops.errors import StartError, refusal
from ops.home import Home
from ops.postgres.binaries import Binaries
from ops.postgres.cluster import (
    DATABASE_NAME,
    DATABASE_USER,
    ENVIRONMENT,
    check_version,
    explain,
    make_cluster,
    runnable_binaries,
)
from ops.postgres.place import OUTSIDE, Place, make_place, socket_folder
from ops.postgres.postmaster import Postmaster

PORT = 5432

# Given on the command line, which wins over postgresql.conf and ALTER SYSTEM: what P1 rests on cannot be
# switched off by an edit in the data directory.
SETTINGS = {
    # Durability.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    # Reached by its socket alone, and only by its own user and root.
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    # One daemon and a few commands on a small machine. No parallel queries: they need /dev/shm, which
    # containers keep at 64 MB.
    "max_connections": "50",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "autovacuum": "on",
    "timezone": "UTC",
    # A quiet log without statements, parameters or rows: they hold what must not reach a log line.
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "lc_messages": "C",
}

LOG_BYTES_MAX = 8 << 20
LOG_BYTES_KEPT = 1 << 20

# What a server says when another's end is not over yet: its last backends still hold the shared memory, or
# a start of a killed process was under way and has just won. The same start succeeds a moment later.
_PASSING = ("pre-existing shared memory block", "already exists", "Address already in use")


@dataclass(frozen=True)
class Server:
    """All that is needed to start the database of one home."""

    place: Place
    binaries: Binaries
    socket_folder: Path

    def launch(self) -> Postmaster:
        """Start the server as our direct child; it is not ready when this returns."""
        settings = SETTINGS | {"unix_socket_directories": str(self.socket_folder)}
        # `-D <directory>` first: by these words a later start knows the process again.
        arguments = [str(self.binaries.postgres), "-D", str(self.place.data)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        try:
            log = _open_log(self.place, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise refusal("write the log", self.place.log, error) from error
        try:
            child = subprocess.Popen(
                arguments,
                # Never our pipes: the server outlives us, and would die of or hang on a broken one.
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Its own session: Ctrl-C in our terminal is for us, we stop the server when we have drained.
                start_new_session=True,
                cwd=self.place.folder,
                env=ENVIRONMENT,
                umask=0o077,
                **self.place.account.spawn_arguments(),
            )
        except OSError as error:
            raise refusal("run", self.binaries.postgres, error) from error
        finally:
            os.close(log)
        return Postmaster(child.pid, self.place.data, child, self.socket_folder)

    def log_size(self) -> int:
        """Where the next words of the server will stand in its log."""
        return self.place.log.stat().st_size if self.place.log.exists() else 0

    def why_it_ended(self, since: int) -> tuple[StartError, bool]:
        """Why a start failed, by what was logged after `since`; and whether another try may do better."""
        try:
            with open(_open_log(self.place, os.O_RDONLY), "rb") as log:
                log.seek(since)
                said = log.read().decode(errors="replace")
        except OSError:
            said = ""
        failure = explain(f"Postgres does not start in {self.place.folder}", said, self.place.folder)
        return failure, any(words in said for words in _PASSING)

    def trim_log(self) -> None:
        """Keep the log from growing without end: its newest part stays, the rest goes.

        It is cut in place: the server has it open, in append mode, so its next line goes to the new end.
        """
        try:
            if self.log_size() <= LOG_BYTES_MAX:
                return
            with open(_open_log(self.place, os.O_RDWR), "r+b") as log:
                log.seek(-LOG_BYTES_KEPT, os.SEEK_END)
                kept = log.read()
                log.seek(0)
                log.write(kept)
                log.truncate()
        except OSError:
            return  # A full disk; the log is the least of it.


def prepare(home: Home, binaries: Binaries, outside: Path = OUTSIDE) -> Server:
    """Make whatever is missing (user, folders, copy of the binaries, data directory). Blocks; for threads."""
    place = make_place(home, outside)
    try:
        runnable = runnable_binaries(place, binaries)
        make_cluster(place, runnable)
        check_version(place, runnable)
        return Server(place, runnable, socket_folder(place))
    except OSError as error:
        raise refusal("make the database in", place.folder, error) from error
    except subprocess.TimeoutExpired as error:
        raise StartError(
            f"cannot make the database in {place.folder}: initdb does not come to an end"
        ) from error


def connection_arguments(place: Place, socket: Path) -> dict[str, str | int]:
    """What asyncpg's `connect` and `create_pool` are given."""
    return {
        "host": str(socket),
        "port": PORT,
        "user": DATABASE_USER,
        "password": place.password,
        "database": DATABASE_NAME,
    }


def dsn(place: Place, socket: Path) -> str:
    """The same as one URL, for asyncpg, SQLAlchemy and libpq. Holds the password: never log it."""
    # The port is named, since clients take another from PGPORT.
    host = quote(str(socket), safe="")
    password = quote(place.password, safe="")
    return f"postgresql://{DATABASE_USER}:{password}@/{DATABASE_NAME}?host={host}&port={PORT}"


def _open_log(place: Place, flags: int) -> int:
    # NOFOLLOW: the folder is the database user's, and root must not go where a link of his points.
    descriptor = os.open(place.log, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    place.account.own(descriptor)
    return descriptor

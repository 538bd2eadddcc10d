"""One running server process: our child, or one that outlived the process which started it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PID_FILE_NAME = "postmaster.pid"
SOCKET_NAME = ".s.PGSQL.5432"
_PROC = Path("/proc")
_NAMES = ("postgres", "postmaster")

# Fast shutdown (ends clients, writes a checkpoint), then immediate (recovery at the next start), then by
# force; each with the seconds it is given. All three keep what was committed.
_STOPS = ((signal.SIGINT, 10), (signal.SIGQUIT, 4), (signal.SIGKILL, 4))


@dataclass
class Postmaster:
    """A postmaster of the data directory `data`. `child` is set if this process started it."""

    pid: int
    data: Path
    child: subprocess.Popen[bytes] | None = None
    # Where it listens, when its pid file says so.
    socket_folder: Path | None = None

    def is_alive(self) -> bool:
        """Whether it runs."""
        if self.child is not None:
            # This also reaps it. A dead child that nobody waits for stays a zombie, which every check by
            # pid alone takes for a running server.
            return self.child.poll() is None
        return is_postmaster_of(self.pid, self.data)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.child is not None:
            self.child.send_signal(number)
        elif self.is_alive():  # Asked right before: the number may belong to another process by now.
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def stop_now(self) -> None:
        """Stop it and wait until it is gone: gently, then less gently. Blocks; for threads."""
        for number, seconds in _STOPS:
            self.send(number)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self.is_alive():
                    return
                time.sleep(0.01)


def find_postmaster(data: Path) -> Postmaster | None:
    """The running postmaster that the pid file in `data` names, if it is really one of this directory.

    The file alone proves nothing: after a kill it stays, its number may belong to any other process (normal
    after a container's restart), and a server killed while starting leaves only two lines.
    """
    lines = _pid_file_lines(data)
    if not lines or not lines[0].strip().isdecimal():
        return None
    pid = int(lines[0])
    if not is_postmaster_of(pid, data):
        return None
    # Lines: pid, data directory, start time, port, socket folder, address, shared memory, status.
    socket = lines[4].strip() if len(lines) > 4 else ""  # noqa: PLR2004 - the fifth line
    return Postmaster(pid, data, socket_folder=Path(socket) if socket else None)


def has_pid_file(data: Path) -> bool:
    """Whether there is a pid file at all."""
    return (data / PID_FILE_NAME).exists()


def clear_stale_files(data: Path, socket: Path) -> None:
    """Remove pid file, socket and the socket's lock, when no server of this directory runs.

    Postgres removes those of a dead process itself, but refuses to start over an empty or garbled one, or
    one whose number is now another process of the same user. The socket's folder serves this server alone.
    Should a server run in spite of all this, its shared memory (found by the directory's inode, not by this
    file) still keeps a second one from starting.
    """
    for path in (data / PID_FILE_NAME, socket / SOCKET_NAME, socket / f"{SOCKET_NAME}.lock"):
        path.unlink(missing_ok=True)


def is_postmaster_of(pid: int, data: Path) -> bool:
    """Whether the process `pid` is a postmaster that we started on `data`.

    Its command line says so: we always start with `-D <directory>`, its own children rewrite theirs, and a
    zombie has none. (Its working directory would say it too, but may not be read without a capability that
    containers lack.)
    """
    arguments = _command_line(pid)
    return (
        len(arguments) > 2  # noqa: PLR2004 - program, -D, directory
        and os.path.basename(arguments[0]) in _NAMES  # noqa: PTH119 - text from /proc, no path of ours
        and arguments[1:3] == ["-D", str(data)]
    )


def _command_line(pid: int) -> list[str]:
    if _PROC.joinpath("self").exists():
        try:
            return os.fsdecode(_PROC.joinpath(str(pid), "cmdline").read_bytes()).split("\0")
        except OSError:
            return []
    # Without /proc (macOS): ps joins the arguments by blanks, so a directory with blanks is not recognized.
    said = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return said.stdout.split(" ")


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / PID_FILE_NAME).read_text(errors="replace").splitlines()
    except OSError:
        return []

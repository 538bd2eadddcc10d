from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ops.postgres.postmaster import find_postmaster, is_postmaster_of


def test_another_process_is_no_postmaster(tmp_path: Path) -> None:
    """A running process counts only if its command line is that of a server on this very directory."""
    assert not is_postmaster_of(os.getpid(), tmp_path)
    assert not is_postmaster_of(1, tmp_path)


def test_a_zombie_is_no_postmaster(tmp_path: Path) -> None:
    """A dead process that nobody has waited for does not count as running, whatever it was."""
    (tmp_path / "postgres").write_text("#!/bin/sh\nread line\n")
    (tmp_path / "postgres").chmod(0o755)
    command = ["/bin/sh", "-c", "exec -a postgres sleep 60 2>/dev/null || exec sleep 60"]
    with subprocess.Popen(command) as child:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # Dead, and still there as a zombie.
        assert not is_postmaster_of(child.pid, tmp_path)


@pytest.mark.parametrize("content", [None, "", "\n", "postgres\n", "-1\n", "99999999\n/data\n", "1\n/data\n"])
def test_a_pid_file_alone_proves_nothing(tmp_path: Path, content: str | None) -> None:
    """A missing, empty, short, garbled or outdated pid file names no running server, and raises nothing."""
    if content is not None:
        (tmp_path / "postmaster.pid").write_text(content)
    assert find_postmaster(tmp_path) is None

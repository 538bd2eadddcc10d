"""What stops a start."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class StartError(Exception):
    """A start that cannot go on; the message is the one line the user sees."""

    exit_code = 1


class UsageError(StartError):
    """The command line itself is wrong: known before anything is opened or started."""

    exit_code = 2


def refusal(doing: str, path: Path, error: OSError) -> StartError:
    """What the system said about `path`, as the line for the user: `cannot <doing> <path>: …`."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StartError(f"cannot {doing} {path}: the disk is full; make room and start again")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StartError(f"cannot {doing} {path}: {reason}")

"""`tapefold up`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from daemon import logs
from daemon.settings import Settings
from ops.errors import UsageError
from ops.installation import read_settings
from ops.lifecycle import Feed, run_daemon
from streams.sources.files import parse_speed

DEFAULT_SPEED: Final = "1"


def run(
    *,
    home: Path | None,
    host: str | None,
    port: str | None,
    feeds: Sequence[Path],
    speed: str | None,
    loop: bool,
) -> None:
    """Run the daemon until it is told to stop; exits 1 when a part of it ends by itself."""
    if not feeds and (loop or speed is not None):
        given = "--feed-loop" if loop else "--feed-speed"
        raise UsageError(f"{given}: there is no price file to replay: name one with --feed FILE")
    pace = _speed(speed or DEFAULT_SPEED)
    settings = read_settings(home=home, host=host, port=port)
    configure_logs(settings)
    sys.exit(uvloop.run(ended(run_daemon(settings, [Feed(path, pace, loop) for path in feeds]))))


def configure_logs(settings: Settings) -> None:
    """Send the log lines of a daemon where and how the settings say."""
    form = settings.log_format
    logs.configure(
        form if form != "auto" else "console" if sys.stderr.isatty() else "json", settings.log_level
    )


async def ended(running: Coroutine[Any, Any, int]) -> int:
    """The exit code of a daemon, once it has ended."""
    code = await running
    # Nothing is left to cut short: a second signal that comes between the loop's end and ours, when nobody
    # handles it any more, must not spoil the code.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    return code


def _speed(text: str) -> float:
    try:
        return parse_speed(text)
    except ValueError as error:
        raise UsageError(f"--feed-speed: {error}") from None

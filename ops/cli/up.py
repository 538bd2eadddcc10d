"""`tapefold up`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from daemon import logs
from daemon.settings import Settings
from ops.errors import StartError
from ops.installation import read_settings
from ops.lifecycle import Feed, run_daemon
from streams.sources.files import parse_speed


def run(
    *,
    home: Path | None,
    host: str | None,
    port: int | None,
    feeds: Sequence[Path],
    speed: str,
    loop: bool,
) -> None:
    """Run the daemon until it is told to stop; exits 1 when a part of it ends by itself."""
    settings = read_settings(home=home, host=host, port=port)
    form = settings.log_format
    logs.configure(
        form if form != "auto" else "console" if sys.stderr.isatty() else "json", settings.log_level
    )
    sys.exit(uvloop.run(_run(settings, [Feed(path, _speed(speed), loop) for path in feeds])))


async def _run(settings: Settings, feeds: Sequence[Feed]) -> int:
    code = await run_daemon(settings, feeds)
    # Nothing is left to cut short: a second signal that comes between the loop's end and ours, when nobody
    # handles it any more, must not spoil the code.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    return code


def _speed(text: str) -> float:
    try:
        return parse_speed(text)
    except ValueError as error:
        raise StartError(f"--feed-speed: {error}") from None

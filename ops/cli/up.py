"""`tapefold up`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from daemon import logs
from daemon.settings import SettingError, Settings, read
from ops.errors import StartError
from ops.lifecycle import Feed, run_daemon


def run(
    *, home: Path | None, host: str | None, port: int | None, feeds: Sequence[Path], feed_speed: float
) -> None:
    """Run the daemon until it is told to stop; exits 1 when a part of it ends by itself."""
    settings = read_settings(home=home, host=host, port=port)
    form = settings.log_format
    logs.configure(
        form if form != "auto" else "console" if sys.stderr.isatty() else "json", settings.log_level
    )
    sys.exit(uvloop.run(run_daemon(settings, [Feed(path, feed_speed) for path in feeds])))


def read_settings(**given: object) -> Settings:
    """The settings; a wrong one is one line for the user."""
    try:
        return read(**given)
    except SettingError as error:
        raise StartError(str(error)) from None

"""The demo's home: one that stays, one that is gone afterwards, and how the first is begun anew."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from ops.beginning import ADMIN_KEY_NAME
from ops.errors import StartError, refusal
from ops.home import FACTS_NAME, Home, default_home, write_private
from ops.postgres import EmbeddedPostgres, find_binaries, remove_database

HOME_NAME: Final = "tapefold-demo"
KAFKA_HOME_NAME: Final = "tapefold-demo-kafka"
"""Of the demo on Kafka: a database belongs to one log for good."""
MARK_NAME: Final = "demo"
"""Stands in every home that a demo made: only those may be begun anew."""


@asynccontextmanager
async def demo_home(
    given: Path | None, *, once: bool, fresh: bool, name: str = HOME_NAME
) -> AsyncIterator[Path]:
    """The demo's home. `once` without a home of its own has one that is gone afterwards.

    `name` is that of the default one, beside the user's own.
    """
    if given is not None or not once:
        default = default_home().with_name(name)
        yield await _lasting(given or default, default.resolve(), fresh=fresh)
        return
    folder = Path(tempfile.mkdtemp(prefix="tapefold-demo-"))
    try:
        yield Home.open(folder).path
    finally:
        home = Home.open(folder)
        await _empty(home)
        shutil.rmtree(home.path, ignore_errors=True)


async def _lasting(path: Path, default: Path, *, fresh: bool) -> Path:
    is_new = not _exists(path / FACTS_NAME)
    home = Home.open(path)
    if is_new:
        _mark(home)
    elif fresh:
        # The default folder is a demo's by its name; those of earlier versions have no mark.
        if home.path != default and not _exists(home.path / MARK_NAME):
            raise StartError(
                f"--fresh deletes only what a demo made, and the home {path} was not made by one: "
                "name another folder with --home"
            )
        await _empty(home)
        _mark(home)
    return home.path


async def _empty(home: Home) -> None:
    """Delete the database and the keys to it; what else lies in the folder, and the folder, stay."""
    with home.lock("tapefold demo"):
        try:
            remove_database(home)
        except StartError:
            # Its daemon did not live to stop it.
            postgres = EmbeddedPostgres(home, find_binaries(None))
            await postgres.start()
            await postgres.stop()
            remove_database(home)
        (home.path / ADMIN_KEY_NAME).unlink(missing_ok=True)


def _mark(home: Home) -> None:
    try:
        write_private(home.path / MARK_NAME, "made by tapefold demo\n")
    except OSError as error:
        raise refusal("write to the home", home.path, error) from error


def _exists(path: Path) -> bool:
    return path.expanduser().exists()

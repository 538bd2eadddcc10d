"""`tapefold keys`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from api.identity import keys
from daemon.domain.values import Owner
from daemon.settings import Settings
from ops.errors import StartError
from ops.installation import read_settings, run_command, use_installation


def create(*, home: Path | None, name: str, scopes: Sequence[str], owner: str) -> None:
    """Make a key and print it, alone, on stdout; it is nowhere else."""
    print(run_command(_create(read_settings(home=home), name, scopes, owner)))


async def _create(settings: Settings, name: str, scopes: Sequence[str], owner: str) -> str:
    wrong = [scope for scope in scopes if scope not in keys.SCOPES]
    if wrong:  # before a database is started for nothing
        raise StartError(f"--scope {wrong[0]!r}: must be one of {', '.join(keys.SCOPES)}")
    async with use_installation(settings, "tapefold keys") as installation:
        pool = installation.database.pool
        given = cast("Sequence[keys.Scope]", scopes)
        try:
            made = await keys.create(pool, name=name, scopes=given, owner=Owner(owner))
        except ValueError as error:
            raise StartError(f"--{error}") from None
        return made.text

"""What `tapefold up` says first: where the data lies, and the admin key that it made."""

from __future__ import annotations

import sys
from typing import Final

from api.identity import keys
from api.times import moment_text
from ops.errors import refusal
from ops.home import Home, write_private
from ops.installation import Installation
from ops.postgres import abandoned_data

ADMIN_KEY_NAME: Final = "admin.key"


def say_places(home: Home, *, is_embedded: bool) -> None:
    """Where home and data lie, and where older data was set aside."""
    if not is_embedded or home.database is None:
        _say(f"home {home.path}, data in the database that TAPEFOLD_DATABASE_URL names")
        return
    _say(f"home {home.path}, data in {home.database}")
    if (abandoned := abandoned_data(home.database)) is not None:
        folder, since = abandoned
        _say(
            f"the data of a deleted home of this path was set aside on {moment_text(since)}, "
            f"and is not used: {folder}"
        )


async def make_admin_key(installation: Installation, home: Home) -> None:
    """An admin key for an installation without one: printed once, stored for this user alone."""
    pool = installation.database.pool
    if await keys.has_admin(pool):
        return
    text = keys.new_text()
    path = home.path / ADMIN_KEY_NAME
    try:
        # Before the database knows it: killed in between, the next start writes another over it.
        write_private(path, text + "\n")
    except OSError as error:
        raise refusal("write to the home", path, error) from error
    await keys.create(pool, name="first admin key", scopes=["admin"], text=text)
    _say(f"admin key (shown once, kept in {path}): {text}")


async def say_no_admin_key(installation: Installation) -> None:
    """Tell whoever starts an API without any admin key how to make one."""
    if not await keys.has_admin(installation.database.pool):
        _say("there is no admin key yet: tapefold keys create --name admin --scope admin")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

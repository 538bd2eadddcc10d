"""`tapefold keys`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import msgspec

from api.identity import keys
from api.identity.keys import CACHE_SECONDS, KeyRow, NewKey, Scope
from api.times import moment_text
from daemon.domain.values import Owner
from ops.cli.options import uuid_of
from ops.cli.saying import table
from ops.errors import StartError, UsageError
from ops.installation import read_settings, run_command, use_installation

HEADS: Final = ("ID", "NAME", "OWNER", "SCOPES", "CREATED", "LAST USED", "REVOKED")

# --- create ----------------------------------------------------------------------------------------------


def create(*, home: Path | None, name: str, scopes: Sequence[str], owner: str, make_home: bool) -> None:
    """Make a key and print it, alone, on stdout; it is nowhere else."""
    wrong = [scope for scope in scopes if scope not in keys.SCOPES]
    if wrong:
        raise UsageError(f"--scope {wrong[0]!r}: must be one of {', '.join(keys.SCOPES)}")
    try:
        keys.check(name=name, scopes=scopes, owner=owner)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    given = cast("Sequence[Scope]", scopes)
    print(run_command(_create(home, name, given, Owner(owner), make_home=make_home)).text)


async def _create(
    home: Path | None, name: str, scopes: Sequence[Scope], owner: Owner, *, make_home: bool
) -> NewKey:
    settings = read_settings(home=home)
    hint = "; --create makes one there now"
    async with use_installation(
        settings, "tapefold keys", must_exist=not make_home, hint=hint
    ) as installation:
        return await keys.create(installation.database.pool, name=name, scopes=scopes, owner=owner)


# --- list ------------------------------------------------------------------------------------------------


def show(*, home: Path | None, as_json: bool) -> None:
    """Print all keys, without what opens anything."""
    found = run_command(_list(home))
    if as_json:
        print(msgspec.json.encode([_told(each) for each in found]).decode())
    elif found:
        print(table(HEADS, [_cells(each) for each in found]))
    else:
        print("no keys: `tapefold keys create` makes one")


async def _list(home: Path | None) -> Sequence[KeyRow]:
    async with use_installation(read_settings(home=home), "tapefold keys", must_exist=True) as installation:
        return await keys.list_all(installation.database.pool)


def _told(row: KeyRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "owner": row.owner,
        "scopes": row.scopes,
        "createdAt": _moment(row.created_at),
        "lastUsedAt": _moment(row.last_used_at),
        "revokedAt": _moment(row.revoked_at),
    }


def _cells(row: KeyRow) -> Sequence[str]:
    used = "unknown" if row.last_used_at is None else str(_moment(row.last_used_at))
    revoked = "no" if row.revoked_at is None else str(_moment(row.revoked_at))
    return (row.id, row.name, row.owner, ",".join(row.scopes), str(_moment(row.created_at)), used, revoked)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else moment_text(round(at.timestamp() * 1000))


# --- revoke ----------------------------------------------------------------------------------------------


def revoke(*, home: Path | None, id_: str) -> None:
    """Revoke a key; exits 1 where there is none of this id."""
    key_id = uuid_of(id_, "a key, as `tapefold keys list` shows it,")
    is_new, row, has_admin = run_command(_revoke(home, key_id))
    if not is_new:
        print(f"key {key_id} ({row.name}) was revoked already, at {_moment(row.revoked_at)}")
        return
    print(
        f"revoked key {key_id} ({row.name}): running daemons refuse it at once, "
        f"or within {CACHE_SECONDS:g} s where they could not be told"
    )
    if not has_admin:
        sys.stderr.write("no admin key is left: the next `tapefold up` makes one\n")


async def _revoke(home: Path | None, key_id: str) -> tuple[bool, KeyRow, bool]:
    async with use_installation(read_settings(home=home), "tapefold keys", must_exist=True) as installation:
        pool = installation.database.pool
        is_new = await keys.revoke(pool, key_id)
        for row in await keys.list_all(pool):
            if row.id == key_id:
                return is_new, row, await keys.has_admin(pool)
    raise StartError(f"no key has the id {key_id}: `tapefold keys list` shows all")

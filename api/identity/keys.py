"""API keys: made once, shown once, stored as a hash.

A key is 192 random bits, so a plain SHA-256 keeps it: there is nothing to guess that a slow hash would delay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, cast, get_args

from sqlalchemy import ClauseElement, bindparam, insert, select
from sqlalchemy.sql.compiler import SQLCompiler

from api.identity.tables import API_KEYS
from daemon import clock
from daemon.domain.values import Owner
from projections.model import DIALECT
from projections.query import Reader
from streams.intake import FEEDS

Scope = Literal["read", "signals", "prices", "trade", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""`admin` implies all others."""

PREFIX: Final = "tf_"
OPERATOR: Final = Owner("operator")
KEY_BYTES: Final = 24
KEY_LENGTH_MAX: Final = 100
SHOWN_CHARACTERS: Final = 10
NAME_LENGTH_MAX: Final = 100
CACHE_SECONDS: Final = 5.0
"""How long a found key is trusted without a look: so long a revoked one may go on that nobody heard of."""
CACHE_KEYS_MAX: Final = 10_000
CHANNEL: Final = "tapefold_keys"
"""Of the NOTIFY that comes with a revocation."""
USED_SECONDS: Final = 60.0
"""So exactly is it known when a key was last used."""

_LIST: Final = f"""
SELECT id, owner, name, scopes, created_at, last_used_at, revoked_at
FROM {API_KEYS.fullname} ORDER BY created_at, id
"""  # noqa: S608 - a constant of ours, as in those below
_HAS_ADMIN: Final = f"""
SELECT EXISTS (SELECT FROM {API_KEYS.fullname} WHERE revoked_at IS NULL AND 'admin' = ANY (scopes))
"""  # noqa: S608
_REVOKE: Final = f"""
WITH revoked AS (
    UPDATE {API_KEYS.fullname} SET revoked_at = $2 WHERE id = $1::uuid AND revoked_at IS NULL RETURNING id
)
SELECT pg_notify('{CHANNEL}', id::text) FROM revoked
"""  # noqa: S608
_BY_IDS: Final = f"""
SELECT id, owner, scopes FROM {API_KEYS.fullname} WHERE id = ANY ($1::uuid[]) AND revoked_at IS NULL
"""  # noqa: S608
_USED: Final = f"UPDATE {API_KEYS.fullname} SET last_used_at = $2 WHERE id = $1::uuid"  # noqa: S608


class Principal(NamedTuple):
    """Who asks."""

    owner: Owner
    key_id: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Whether the key's scopes allow this."""
        return scope in self.scopes or "admin" in self.scopes


class NewKey(NamedTuple):
    """A key that was just made; `text` is nowhere else."""

    id: str
    text: str


class KeyRow(NamedTuple):
    """A key as it is stored, without what opens anything."""

    id: str
    owner: Owner
    name: str
    scopes: Sequence[str]
    created_at: datetime
    last_used_at: datetime | None
    """To the minute; None: not since this is recorded."""
    revoked_at: datetime | None


def new_text() -> str:
    """A key that nobody has yet."""
    return PREFIX + clock.random_token(KEY_BYTES)


async def create(
    database: Reader,
    *,
    name: str,
    scopes: Sequence[Scope],
    owner: Owner = OPERATOR,
    text: str | None = None,
) -> NewKey:
    """Store a key, `text` or a new one. Raises `ValueError` for a wrong name, owner or scope."""
    check(name=name, scopes=scopes, owner=owner)
    key = NewKey(clock.random_id(), new_text() if text is None else text)
    await _run(
        database,
        insert(API_KEYS).returning(API_KEYS.c.id),
        id=key.id,
        owner=owner,
        name=name,
        hash=key_hash(key.text),
        prefix=key.text[:SHOWN_CHARACTERS],
        scopes=[scope for scope in SCOPES if scope in scopes],
        created_at=_now(),
        revoked_at=None,
    )
    return key


def check(*, name: str, scopes: Sequence[str], owner: str) -> None:
    """Raise `ValueError` for a name, owner or scope that no key may have."""
    _check(name, "name")
    _check(owner, "owner")
    if owner == FEEDS:
        raise ValueError(f"owner {FEEDS!r} is reserved for our own feeds: give another")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"scopes must be some of {', '.join(SCOPES)}; got {', '.join(unknown) or 'none'}")


async def lookup(database: Reader, text: str) -> Principal | None:
    """Whose key this is; None for what is unknown or revoked."""
    if not is_key(text):
        return None
    found = select(API_KEYS.c.id, API_KEYS.c.owner, API_KEYS.c.scopes).where(
        API_KEYS.c.hash == bindparam("hash"), API_KEYS.c.revoked_at.is_(None)
    )
    rows = await _run(database, found, hash=key_hash(text))
    return (
        Principal(Owner(rows[0]["owner"]), str(rows[0]["id"]), frozenset(rows[0]["scopes"])) if rows else None
    )


async def principals(database: Reader, key_ids: Sequence[str]) -> dict[str, Principal]:
    """Whose keys these are, by their ids; those that are unknown or revoked are left out."""
    rows = await database.fetch(_BY_IDS, list(key_ids))
    return {
        str(row["id"]): Principal(Owner(row["owner"]), str(row["id"]), frozenset(row["scopes"]))
        for row in rows
    }


async def has_admin(database: Reader) -> bool:
    """Whether there is a key with the scope `admin` that was not revoked."""
    return bool((await database.fetch(_HAS_ADMIN))[0][0])


async def list_all(database: Reader) -> list[KeyRow]:
    """All keys, revoked ones too, in the order in which they were made."""
    return [
        KeyRow(
            str(row["id"]),
            Owner(row["owner"]),
            row["name"],
            tuple(row["scopes"]),
            row["created_at"],
            row["last_used_at"],
            row["revoked_at"],
        )
        for row in await database.fetch(_LIST)
    ]


async def revoke(database: Reader, key_id: str) -> bool:
    """Revoke a key, and tell all who remember it; False where there is none of this id that is valid."""
    return bool(await database.fetch(_REVOKE, key_id, _now()))


async def _run(database: Reader, statement: ClauseElement, **values: Any) -> Sequence[Any]:
    compiled = cast("SQLCompiler", statement.compile(dialect=DIALECT))
    bound = {**compiled.params, **values}
    return await database.fetch(compiled.string, *(bound[name] for name in compiled.positiontup or ()))


def is_key(text: str) -> bool:
    """Whether the text has the form of a key; what has not is never looked up."""
    return text.startswith(PREFIX) and len(text) <= KEY_LENGTH_MAX and text.isascii() and text.isprintable()


def key_hash(text: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> datetime:
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


def _check(text: str, what: str) -> None:
    if not text.strip() or len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise ValueError(f"{what} must be 1 to {NAME_LENGTH_MAX} printable characters")


class KeyRing:
    """Looks keys up, and remembers those it found for a few seconds; what it did not find it never does."""

    def __init__(self, database: Reader, seconds: float = CACHE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._found: dict[str, tuple[float, Principal]] = {}
        self._used: dict[str, float] = {}
        self._forgotten = 0

    async def find(self, text: str) -> Principal | None:
        """Whose key this is."""
        now = clock.monotonic()
        kept = self._found.get(text)
        if kept is not None and now < kept[0]:
            return kept[1]
        before = self._forgotten
        principal = await lookup(self._database, text)
        if principal is None:
            self._found.pop(text, None)
            return None
        await self._note_use(principal.key_id, now)
        if before != self._forgotten:
            return await lookup(self._database, text)  # revoked, maybe, while we looked
        if len(self._found) >= CACHE_KEYS_MAX:
            self._found.clear()
        self._found[text] = (now + self._seconds, principal)
        return principal

    def forget(self) -> None:
        """Remember no key: one was revoked, or nobody would have heard of it."""
        self._forgotten += 1
        self._found.clear()

    async def _note_use(self, key_id: str, now: float) -> None:
        """Store that a key is used: once a minute, since it costs a write."""
        used = self._used.get(key_id)
        if used is not None and now < used + USED_SECONDS:
            return
        if len(self._used) >= CACHE_KEYS_MAX:
            self._used.clear()
        self._used[key_id] = now
        await self._database.execute(_USED, key_id, _now())

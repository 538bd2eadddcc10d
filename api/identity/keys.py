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
"""How long a found key is trusted without a look: so long a revoked one may go on."""
CACHE_KEYS_MAX: Final = 10_000


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
    _check(name, "name")
    _check(owner, "owner")
    if owner == FEEDS:
        raise ValueError(f"owner {FEEDS!r} is reserved for our own feeds: give another")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"scopes must be some of {', '.join(SCOPES)}; got {', '.join(unknown) or 'none'}")
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
        created_at=datetime.fromtimestamp(clock.now_ms() / 1000, UTC),
        revoked_at=None,
    )
    return key


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


async def has_any(database: Reader) -> bool:
    """Whether a key was ever made here."""
    return bool(await _run(database, select(API_KEYS.c.id).limit(1)))


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


def _check(text: str, what: str) -> None:
    if not text.strip() or len(text) > NAME_LENGTH_MAX or not text.isprintable():
        raise ValueError(f"{what} must be 1 to {NAME_LENGTH_MAX} printable characters")


class KeyRing:
    """Looks keys up, and remembers those it found for a few seconds; what it did not find it never does."""

    def __init__(self, database: Reader, seconds: float = CACHE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._found: dict[str, tuple[float, Principal]] = {}

    async def find(self, text: str) -> Principal | None:
        """Whose key this is."""
        now = clock.monotonic()
        kept = self._found.get(text)
        if kept is not None and now < kept[0]:
            return kept[1]
        principal = await lookup(self._database, text)
        if principal is None:
            self._found.pop(text, None)
            return None
        if len(self._found) >= CACHE_KEYS_MAX:
            self._found.clear()
        self._found[text] = (now + self._seconds, principal)
        return principal

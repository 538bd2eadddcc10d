"""The only place with clock and chance."""

from __future__ import annotations

import secrets
import time
import uuid


def now_ms() -> int:
    """Milliseconds since the epoch by this host's clock: for answers, keys and logs, never for a decision."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds that only grow, for measuring how long something took."""
    return time.monotonic()


def random_id() -> str:
    """A random UUID (version 4), as lower-case text."""
    return str(uuid.uuid4())


def random_token(nbytes: int) -> str:
    """A secret of `nbytes` random bytes, as text that is safe in a URL and in a file name."""
    return secrets.token_urlsafe(nbytes)

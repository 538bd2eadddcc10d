"""A revoked API key is refused at once: the daemon listens for what `tapefold keys revoke` tells."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from api.identity.keys import CHANNEL, KeyRing
from daemon.database import TROUBLE, Database, DatabaseRefused

RETRY_SECONDS: Final = 1.0

_TROUBLE: Final = (DatabaseRefused, *TROUBLE)


async def hear_revocations(database: Database, ring: KeyRing) -> None:
    """Let the ring forget its keys whenever one is revoked; its own limit holds while nothing is heard."""
    while True:
        with suppress(*_TROUBLE):  # whoever asks the database for something is told
            await _hear_once(database, ring)
        await asyncio.sleep(RETRY_SECONDS)


async def _hear_once(database: Database, ring: KeyRing) -> None:
    lost = asyncio.Event()
    session = await database.session(f"{database.application_name} keys")

    def hear(*_: Any) -> None:
        ring.forget()

    try:
        session.add_termination_listener(lambda _: lost.set())
        await session.add_listener(CHANNEL, hear)
        ring.forget()  # what was told before we listened
        await lost.wait()
    finally:
        session.terminate()

"""Which config an agent had when it decided."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from daemon.domain.config import DEFAULT_CONFIG, stored
from daemon.domain.events import AgentConfigured
from ops.why.journal import JournalReader
from projections import agent_configs
from projections.query import Query, Reader, columns, equals

_VERSION: Final = Query(
    select(*columns(agent_configs.TABLE)),
    agent_configs.AGENT_CONFIGS.read,
    filters=equals(agent_configs.TABLE, "agent_id", "version"),
)


class Configs:
    """Configs by agent and version, from the events that set them."""

    def __init__(self, reader: Reader, journal: JournalReader) -> None:
        self._reader = reader
        self._journal = journal
        self._known: dict[tuple[str, int], dict[str, Any]] = {}

    async def of(self, agent_id: str, version: int) -> dict[str, Any]:
        """The version, its fully resolved values, and on which input it was set (version 0: the defaults)."""
        key = (agent_id, version)
        if key not in self._known:
            self._known[key] = await self._read(agent_id, version)
        return self._known[key]

    async def _read(self, agent_id: str, version: int) -> dict[str, Any]:
        if version == 0:
            return {"version": 0, "tapeOffset": None, "values": stored(DEFAULT_CONFIG)}
        row = await _VERSION.one(self._reader, agent_id=agent_id, version=version)
        place = None if row is None else await self._journal.at(row.tape_offset)
        for event in () if place is None else place.events:
            if (
                isinstance(event, AgentConfigured)
                and event.agent_id == agent_id
                and event.version == version
                and place is not None
            ):
                return {"version": version, "tapeOffset": place.tape_offset, "values": event.config}
        return {"version": version, "tapeOffset": None, "values": None}

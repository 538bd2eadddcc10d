"""Every config that an agent had."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import select

from daemon.domain.config import DEFAULT_CONFIG, stored
from daemon.domain.events import AgentConfigured, AgentCreated
from daemon.domain.values import AgentId, InputId, Owner
from daemon.records import encode
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, table


class AgentConfigRow(Row):
    """One version of an agent's config. Version 0 holds the defaults."""

    agent_id: AgentId
    version: Count
    owner: Owner
    config: str
    """JSON of the fully resolved config."""
    given: str
    """JSON of the keys that were given."""
    at: Long
    tape: Count
    tape_offset: Long
    input_id: InputId | None = None

    def resolved(self) -> dict[str, Any]:
        """The config as the API shows it."""
        return msgspec.json.decode(self.config, type=dict[str, Any])

    def keys(self) -> dict[str, Any]:
        """Only the keys that were given."""
        return msgspec.json.decode(self.given, type=dict[str, Any])


TABLE: Final = table("agent_configs", AgentConfigRow, ("agent_id", "version"))


AGENT_CONFIGS: Final = Model(TABLE, AgentConfigRow)


def _put(
    agent_id: AgentId, version: int, config: dict[str, Any], given: dict[str, Any], cause: Cause, batch: Batch
) -> None:
    row = AgentConfigRow(
        agent_id=agent_id,
        version=version,
        owner=cause.agents[agent_id].owner,
        config=encode(config).decode(),
        given=encode(given).decode(),
        input_id=cause.input_id,
        at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
    )
    batch.put(AGENT_CONFIGS, (agent_id, version), row)


def _created(event: AgentCreated, cause: Cause, batch: Batch) -> None:
    _put(event.agent_id, 0, stored(DEFAULT_CONFIG), {}, cause, batch)


def _configured(event: AgentConfigured, cause: Cause, batch: Batch) -> None:
    _put(event.agent_id, event.version, event.config, event.given, cause, batch)


FOLDS: Final[Folds] = {AgentCreated: _created, AgentConfigured: _configured}

_CONFIGS: Final = Query(
    select(*columns(TABLE)),
    AGENT_CONFIGS.read,
    filters=equals(TABLE, "owner", "agent_id", "version"),
    order=(TABLE.c.version.desc(),),
)


async def get_config(
    reader: Reader, owner: str, agent_id: str, version: int | None = None
) -> AgentConfigRow | None:
    """An agent's current config, or one of its earlier versions."""
    rows = await _CONFIGS.all(reader, limit=1, owner=owner, agent_id=agent_id, version=version)
    return rows[0] if rows else None

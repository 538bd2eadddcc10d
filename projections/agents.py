"""Agents as they are now."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Index, select

from daemon.domain.commands import Mode
from daemon.domain.events import (
    AgentConfigured,
    AgentCreated,
    AgentDeleted,
    AgentQuarantined,
    AgentReleased,
    AgentUpdated,
)
from daemon.domain.values import AgentId, Owner
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row, holder
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, table


class AgentRow(Row):
    """One agent; `deleted_at` is None while it lives."""

    id: AgentId
    owner: Owner
    name: str
    mode: Mode
    paused: bool
    quarantined: bool
    config_version: Count
    created_at: Long
    updated_at: Long
    tape: Count
    tape_offset: Long
    """The input that created it."""
    updated_offset: Long
    """The input that changed it last."""
    quarantine_error: str | None = None
    wallet_address: str | None = None
    deleted_at: Long | None = None


TABLE: Final = table("agents", AgentRow, ("id",))
Index("agents_by_owner", TABLE.c.owner, TABLE.c.tape_offset)


AGENTS: Final = Model(TABLE, AgentRow)


def _created(event: AgentCreated, cause: Cause, batch: Batch) -> None:
    agent_id = event.agent_id
    known = cause.agents[agent_id] = holder(event.owner, event.mode, agent_id)
    row = AgentRow(
        id=agent_id,
        owner=event.owner,
        name=event.name,
        mode=event.mode,
        paused=False,
        quarantined=False,
        wallet_address=known.wallet_address,
        config_version=0,
        created_at=cause.at,
        updated_at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
        updated_offset=cause.tape_offset,
    )
    batch.put(AGENTS, agent_id, row)


def _changed(agent_id: AgentId, cause: Cause, batch: Batch, **changes: object) -> None:
    batch.patch(AGENTS, agent_id, **changes, updated_at=cause.at, updated_offset=cause.tape_offset)


def _updated(event: AgentUpdated, cause: Cause, batch: Batch) -> None:
    _changed(event.agent_id, cause, batch, name=event.name, paused=event.paused)


def _configured(event: AgentConfigured, cause: Cause, batch: Batch) -> None:
    _changed(event.agent_id, cause, batch, config_version=event.version)


def _deleted(event: AgentDeleted, cause: Cause, batch: Batch) -> None:
    _changed(event.agent_id, cause, batch, deleted_at=cause.at)


def _quarantined(event: AgentQuarantined, cause: Cause, batch: Batch) -> None:
    _changed(event.agent_id, cause, batch, quarantined=True, quarantine_error=event.error)


def _released(event: AgentReleased, cause: Cause, batch: Batch) -> None:
    _changed(event.agent_id, cause, batch, quarantined=False, quarantine_error=None)


FOLDS: Final[Folds] = {
    AgentCreated: _created,
    AgentUpdated: _updated,
    AgentConfigured: _configured,
    AgentDeleted: _deleted,
    AgentQuarantined: _quarantined,
    AgentReleased: _released,
}

_AGENT: Final = Query(select(*columns(TABLE)), AGENTS.read, filters=equals(TABLE, "owner", "id"))
_AGENTS: Final = Query(
    select(*columns(TABLE)).where(TABLE.c.deleted_at.is_(None)),
    AGENTS.read,
    filters=equals(TABLE, "owner", "mode"),
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_agent(reader: Reader, owner: str, agent_id: str) -> AgentRow | None:
    """An owner's agent, also a deleted one."""
    return await _AGENT.one(reader, owner=owner, id=agent_id)


async def list_agents(
    reader: Reader, owner: str, *, limit: int, offset: int = 0, mode: str | None = None
) -> list[AgentRow]:
    """An owner's agents that are not deleted, newest first."""
    return await _AGENTS.all(reader, limit=limit, offset=offset, owner=owner, mode=mode)

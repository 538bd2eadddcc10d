"""Agents and their configs."""

from __future__ import annotations

from typing import Any

import msgspec

from api.times import moment_text
from daemon.domain.commands import Mode
from projections.agent_configs import AgentConfigRow
from projections.agents import AgentRow


class AgentAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One agent."""

    id: str
    name: str
    trading_mode: Mode
    is_active: bool
    """Whether it may open positions: not paused."""
    paused: bool
    quarantined: bool
    """Deciding for it failed: no entries until it is released."""
    quarantine_reason: str | None
    wallet_address: str | None
    config_version: int
    created_at: str
    updated_at: str
    deleted_at: str | None


class ConfigAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An agent's config."""

    agent_id: str
    version: int
    config: dict[str, Any]
    """Every key, those that were not given with their default."""
    given: dict[str, Any]
    """Only the keys that were given."""
    updated_at: str


def agent(row: AgentRow) -> AgentAnswer:
    """An agent's row as it is shown."""
    return AgentAnswer(
        id=row.id,
        name=row.name,
        trading_mode=row.mode,
        is_active=not row.paused,
        paused=row.paused,
        quarantined=row.quarantined,
        quarantine_reason=row.quarantine_error,
        wallet_address=row.wallet_address,
        config_version=row.config_version,
        created_at=moment_text(row.created_at),
        updated_at=moment_text(row.updated_at),
        deleted_at=None if row.deleted_at is None else moment_text(row.deleted_at),
    )


def config(row: AgentConfigRow) -> ConfigAnswer:
    """A config's row as it is shown."""
    return ConfigAnswer(
        agent_id=row.agent_id,
        version=row.version,
        config=row.resolved(),
        given=row.keys(),
        updated_at=moment_text(row.at),
    )

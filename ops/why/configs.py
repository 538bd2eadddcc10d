"""Which config an agent had when it decided."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Integer, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from daemon.domain.config import DEFAULT_CONFIG, stored
from ops.why.lookup import among
from projections import agent_configs
from projections.query import Query, Reader, columns

_VERSIONS: Final = Query(
    select(*columns(agent_configs.TABLE)),
    agent_configs.AGENT_CONFIGS.read,
    filters={
        **among(agent_configs.TABLE, "agent_id", "agent_ids"),
        "versions": agent_configs.TABLE.c.version == any_(bindparam("versions", type_=ARRAY(Integer))),
    },
)

Decided = tuple[str, int]
"""An agent and the version of the config with which it decided."""


async def read_configs(reader: Reader, wanted: Collection[Decided]) -> dict[Decided, dict[str, Any]]:
    """Of each: the version, on which input it was set, and its resolved values (version 0: the defaults).

    Read in one query, however many agents: the row holds what the event that set the config holds.
    """
    told: dict[Decided, dict[str, Any]] = {
        key: {
            "version": key[1],
            "tapeOffset": None,
            "values": stored(DEFAULT_CONFIG) if key[1] == 0 else None,
        }
        for key in wanted
    }
    given = [(agent_id, version) for agent_id, version in told if version != 0]
    if not given:
        return told
    agent_ids = sorted({agent_id for agent_id, _ in given})
    versions = sorted({version for _, version in given})
    for row in await _VERSIONS.all(reader, agent_ids=agent_ids, versions=versions):
        key = (str(row.agent_id), row.version)
        if key in told and row.version != 0:
            told[key] |= {"tapeOffset": row.tape_offset, "values": row.resolved()}
    return told

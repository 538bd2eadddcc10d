"""Agents: create, list, get, update, delete, configure, fund, release."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from api.answers.agents import AgentAnswer, ConfigAnswer, agent, config
from api.answers.transactions import TransactionAnswer, transaction
from api.bodies.agents import AgentBody, AgentChange, DepositBody, parse_config
from api.bodies.base import Nothing, parse
from api.errors import live_unavailable, not_found
from api.identity.guard import PRINCIPAL
from api.lists import answer_list
from api.ports import DEPS
from api.requests import one_of, path_id, read_body
from api.responses import json_response
from api.routing import Route
from api.writes import Content, begin, finish
from daemon.domain.commands import (
    AnyCommand,
    ConfigureAgent,
    CreateAgent,
    DeleteAgent,
    Deposit,
    ReleaseAgent,
    UpdateAgent,
)
from daemon.domain.config import AgentConfig, given_keys
from daemon.domain.values import AgentId
from projections.agent_configs import get_config
from projections.agents import get_agent, list_agents
from projections.fills import get_transaction
from projections.inputs import InputRow


async def create(request: web.Request) -> web.Response:
    """Create an agent."""
    body = parse(AgentBody, await read_body(request))
    if body.trading_mode == "live":
        raise live_unavailable()
    command = CreateAgent(
        name=body.name,
        mode=body.trading_mode,
        config=None if body.config is None else given_keys(body.config),
    )
    write = begin(request, body)
    return await finish(request.app[DEPS], write, lambda: command, _agent_of(request, write.id), created=True)


async def list_all(request: web.Request) -> web.Response:
    """The owner's agents, newest first."""
    known = {"tradingMode": ("mode", one_of("simulation", "live"))}
    return await answer_list(request, known, list_agents, agent)


async def show(request: web.Request) -> web.Response:
    """One agent."""
    deps, agent_id = request.app[DEPS], path_id(request)
    row = await get_agent(deps.reader, request[PRINCIPAL].owner, agent_id)
    if row is None or row.deleted_at is not None:
        raise not_found("agent")
    return json_response(agent(row))


async def update(request: web.Request) -> web.Response:
    """Rename, pause or resume an agent."""
    agent_id = AgentId(path_id(request))
    body = parse(AgentChange, await read_body(request))
    if body.trading_mode == "live":
        raise live_unavailable()
    command = UpdateAgent(agent_id=agent_id, name=body.name, paused=body.wants_pause())
    write = begin(request, body, agent_id)
    return await finish(request.app[DEPS], write, lambda: command, _agent_of(request, agent_id))


async def delete(request: web.Request) -> web.Response:
    """Delete an agent that has no open position."""
    agent_id = AgentId(path_id(request))
    command = DeleteAgent(agent_id=agent_id)

    async def content(_row: InputRow) -> dict[str, Any]:
        return {"success": True, "id": agent_id}

    return await _bare_write(request, agent_id, command, content)


async def release(request: web.Request) -> web.Response:
    """Take an agent, and the exits of its positions, out of quarantine."""
    agent_id = AgentId(path_id(request))
    return await _bare_write(request, agent_id, ReleaseAgent(agent_id=agent_id), _agent_of(request, agent_id))


async def deposit(request: web.Request) -> web.Response:
    """Give a simulated agent SOL."""
    agent_id = AgentId(path_id(request))
    body = parse(DepositBody, await read_body(request))
    command = Deposit(agent_id=agent_id, lamports=body.amount)

    deps, write = request.app[DEPS], begin(request, body, agent_id)

    async def content(_row: InputRow) -> TransactionAnswer | dict[str, Any]:
        found = await get_transaction(deps.reader, write.principal.owner, write.id)
        return {"id": write.id} if found is None else transaction(found)

    return await finish(deps, write, lambda: command, content, created=True)


async def show_config(request: web.Request) -> web.Response:
    """An agent's config, every key resolved."""
    deps, owner, agent_id = request.app[DEPS], request[PRINCIPAL].owner, path_id(request)
    owned = await get_agent(deps.reader, owner, agent_id)
    row = await get_config(deps.reader, owner, agent_id)
    if owned is None or owned.deleted_at is not None or row is None:
        raise not_found("agent")
    return json_response(config(row))


async def configure(request: web.Request) -> web.Response:
    """Replace an agent's config by the given keys over the defaults."""
    agent_id = AgentId(path_id(request))
    body = parse_config(await read_body(request))
    command = ConfigureAgent(agent_id=agent_id, config=given_keys(body))

    deps, write = request.app[DEPS], begin(request, body, agent_id)

    async def content(_row: InputRow) -> ConfigAnswer | dict[str, Any]:
        found = await get_config(deps.reader, write.principal.owner, agent_id)
        return {"agentId": agent_id} if found is None else config(found)

    return await finish(deps, write, lambda: command, content)


async def _bare_write(
    request: web.Request, agent_id: AgentId, command: AnyCommand, content: Content
) -> web.Response:
    """A write that says it all by its path."""
    body = parse(Nothing, await read_body(request) or b"{}")
    return await finish(request.app[DEPS], begin(request, body, agent_id), lambda: command, content)


def _agent_of(request: web.Request, agent_id: str) -> Content:
    deps, owner = request.app[DEPS], request[PRINCIPAL].owner

    async def content(_row: InputRow) -> AgentAnswer | dict[str, Any]:
        found = await get_agent(deps.reader, owner, agent_id)
        return {"id": agent_id} if found is None else agent(found)

    return content


_LIST: Final = {"tradingMode": "simulation or live"}

AGENTS: Final = (
    Route(
        method="POST",
        path="/agents",
        handler=create,
        scope="trade",
        summary="Create an agent",
        body=AgentBody,
        answer=AgentAnswer,
        status=201,
        writes=True,
    ),
    Route(
        method="GET",
        path="/agents",
        handler=list_all,
        scope="read",
        summary="List agents, newest first",
        answer=list[AgentAnswer],
        parameters=_LIST,
    ),
    Route(
        method="GET",
        path="/agents/{id}",
        handler=show,
        scope="read",
        summary="Get an agent",
        answer=AgentAnswer,
    ),
    Route(
        method="PUT",
        path="/agents/{id}",
        handler=update,
        scope="trade",
        summary="Rename, pause or resume an agent",
        body=AgentChange,
        answer=AgentAnswer,
        writes=True,
    ),
    Route(
        method="DELETE",
        path="/agents/{id}",
        handler=delete,
        scope="trade",
        summary="Delete an agent that has no open position",
        body=Nothing,
        writes=True,
    ),
    Route(
        method="GET",
        path="/agents/{id}/config",
        handler=show_config,
        scope="read",
        summary="Get an agent's config",
        answer=ConfigAnswer,
    ),
    Route(
        method="PUT",
        path="/agents/{id}/config",
        handler=configure,
        scope="trade",
        summary="Replace an agent's config by the given keys over the defaults; bare or as {config: …}",
        body=AgentConfig,
        answer=ConfigAnswer,
        writes=True,
    ),
    Route(
        method="POST",
        path="/agents/{id}/deposits",
        handler=deposit,
        scope="trade",
        summary="Give a simulated agent SOL",
        body=DepositBody,
        answer=TransactionAnswer,
        status=201,
        writes=True,
    ),
    Route(
        method="POST",
        path="/agents/{id}/release",
        handler=release,
        scope="trade",
        summary="Take an agent and its positions' exits out of quarantine",
        body=Nothing,
        answer=AgentAnswer,
        writes=True,
    ),
)

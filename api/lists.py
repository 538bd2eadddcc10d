"""One way for all lists: paging, filters, and a 404 for an agent that is not the owner's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from aiohttp import web

from api.errors import not_found
from api.identity.guard import PRINCIPAL
from api.ports import DEPS
from api.requests import Check, filters, mint_text, moment, page, short_text, uuid_text
from api.responses import json_response
from projections.agents import get_agent

R = TypeVar("R")
Filters = Mapping[str, tuple[str, Check]]
"""By the query's name: the column, and the check of its text."""

AGENT: Final[Filters] = {"agentId": ("agent_id", uuid_text)}
WALLET: Final[Filters] = {"walletAddress": ("wallet_address", short_text)}
TOKEN: Final[Filters] = {"tokenAddress": ("mint", mint_text)}
SIGNAL: Final[Filters] = {"signalId": ("signal_id", uuid_text)}


def span(first: str, last: str, since: str = "since", until: str = "until") -> Filters:
    """Filters for a range of times, both ends included."""
    return {first: (since, moment), last: (until, moment)}


async def answer_list(
    request: web.Request,
    known: Filters,
    query: Callable[..., Awaitable[Sequence[R]]],
    show: Callable[[R], Any],
    **fixed: Any,
) -> web.Response:
    """A JSON array of the owner's rows."""
    deps, owner = request.app[DEPS], request[PRINCIPAL].owner
    given = filters(request, known)
    wanted = page(request)
    rows = await query(deps.reader, owner, limit=wanted.limit, offset=wanted.offset, **fixed, **given)
    if not rows and "agent_id" in given:
        await check_agent(request, given["agent_id"])
    return json_response([show(row) for row in rows])


async def check_agent(request: web.Request, agent_id: str) -> None:
    """Raise 404 for an agent that is absent or another's; a deleted one's history stays readable."""
    deps, owner = request.app[DEPS], request[PRINCIPAL].owner
    if await get_agent(deps.reader, owner, agent_id) is None:
        raise not_found("agent")

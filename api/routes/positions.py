"""Open positions, and closing one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec
from aiohttp import web

from api.answers.orders import OrderAnswer, order
from api.answers.positions import PositionAnswer, position
from api.bodies.base import Nothing, parse
from api.errors import ApiError, not_found
from api.identity.guard import PRINCIPAL
from api.lists import AGENT, SIGNAL, TOKEN, WALLET, Filters, check_agent
from api.ports import DEPS
from api.requests import filters, page, path_id, read_body
from api.responses import json_response
from api.routing import Route
from api.times import moment_text
from api.writes import begin, finish
from daemon.domain.commands import ClosePosition
from daemon.domain.config import AgentConfig, resolve
from daemon.domain.values import Owner, PositionId
from projections.agent_configs import get_config
from projections.inputs import InputRow
from projections.orders import list_orders
from projections.positions import get_configured_position, get_position, list_open_positions
from projections.query import Reader

_FILTERS: Final[Filters] = {**AGENT, **TOKEN, **SIGNAL, **WALLET}
ORDERS_SHOWN: Final = 10


class ClosingAnswer(PositionAnswer, frozen=True, kw_only=True, rename="camel"):
    """A position that was told to close: still open while its exit waits for a fresh price."""

    orders: list[OrderAnswer]
    """Its exits, newest first."""


async def list_all(request: web.Request) -> web.Response:
    """The owner's open positions, newest first."""
    deps, owner = request.app[DEPS], request[PRINCIPAL].owner
    given = filters(request, _FILTERS)
    wanted = page(request)
    rows = await list_open_positions(deps.reader, owner, limit=wanted.limit, offset=wanted.offset, **given)
    if not rows and "agent_id" in given:
        await check_agent(request, given["agent_id"])
    return json_response([position(row.marked, _resolved(row.config)) for row in rows])


async def show(request: web.Request) -> web.Response:
    """One position, open or closed."""
    deps, owner = request.app[DEPS], request[PRINCIPAL].owner
    found = await get_configured_position(deps.reader, owner, path_id(request))
    if found is None:
        raise not_found("position")
    return json_response(position(found.marked, _resolved(found.config)))


async def close(request: web.Request) -> web.Response:
    """Sell all of an open position at the next fresh price."""
    position_id = PositionId(path_id(request))
    body = parse(Nothing, await read_body(request) or b"{}")
    command = ClosePosition(position_id=position_id)

    deps, owner = request.app[DEPS], request[PRINCIPAL].owner

    async def content(_row: InputRow) -> dict[str, Any]:
        found = await get_position(deps.reader, owner, position_id)
        exits = await list_orders(
            deps.reader, owner, limit=ORDERS_SHOWN, position_id=position_id, side="sell"
        )
        shown: dict[str, Any] = {"id": position_id}
        if found is not None:
            config = await _config(deps.reader, owner, found.position.agent_id)
            shown = msgspec.to_builtins(position(found, config))
        return {**shown, "orders": [order(each) for each in exits]}

    async def denied(row: InputRow) -> ApiError | None:
        # The trader forgets what is closed, so it takes it for unknown; the read models tell the two apart.
        found = await get_position(deps.reader, owner, position_id)
        if row.code != "POSITION_NOT_FOUND" or found is None:
            return None
        closed_at, closed_by = found.position.closed_at, found.position.updated_offset
        if closed_at is None or closed_by > row.tape_offset:
            return None
        at = moment_text(closed_at)
        more = {"rule": row.rule, "limit": "open", "value": "closed", "closedAt": at}
        return ApiError(409, "POSITION_CLOSED", f"the position was closed at {at}", more=more)

    return await finish(deps, begin(request, body, position_id), lambda: command, content, denied=denied)


@lru_cache(maxsize=1_024)
def _resolved(given: str) -> AgentConfig:
    """The config of these keys; agents are many, their configs alike."""
    return resolve(msgspec.json.decode(given))


async def _config(reader: Reader, owner: Owner, agent_id: str) -> AgentConfig | None:
    row = await get_config(reader, owner, agent_id)
    return None if row is None else resolve(row.keys())


POSITIONS: Final = (
    Route(
        method="GET",
        path="/agent-positions",
        handler=list_all,
        scope="read",
        summary="List open positions, newest first",
        answer=list[PositionAnswer],
        parameters={
            "agentId": "One agent's",
            "tokenAddress": "Mint",
            "signalId": "Those from one signal",
            "walletAddress": "Wallet",
        },
    ),
    Route(
        method="GET",
        path="/agent-positions/{id}",
        handler=show,
        scope="read",
        summary="Get a position, open or closed",
        answer=PositionAnswer,
    ),
    Route(
        method="POST",
        path="/agent-positions/{id}/close",
        handler=close,
        scope="trade",
        summary="Close a position at the next fresh price",
        body=Nothing,
        answer=ClosingAnswer,
        writes=True,
    ),
)

"""Orders."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.answers.orders import OrderAnswer, order
from api.errors import not_found
from api.identity.guard import PRINCIPAL
from api.lists import AGENT, SIGNAL, TOKEN, WALLET, Filters, answer_list, span
from api.ports import DEPS
from api.requests import one_of, path_id, short_text, uuid_text
from api.responses import json_response
from api.routing import Route
from projections.orders import get_order, list_orders

_FILTERS: Final[Filters] = {
    **AGENT,
    **SIGNAL,
    **TOKEN,
    **WALLET,
    "positionId": ("position_id", uuid_text),
    "status": ("state", one_of("approved", "filled", "expired", "canceled", "rejected")),
    "side": ("side", one_of("buy", "sell")),
    "purpose": ("purpose", short_text),
    **span("startTime", "endTime"),
}


async def list_all(request: web.Request) -> web.Response:
    """The owner's orders, newest first."""
    return await answer_list(request, _FILTERS, list_orders, order)


async def show(request: web.Request) -> web.Response:
    """One order."""
    row = await get_order(request.app[DEPS].reader, request[PRINCIPAL].owner, path_id(request))
    if row is None:
        raise not_found("order")
    return json_response(order(row))


ORDERS: Final = (
    Route(
        method="GET",
        path="/orders",
        handler=list_all,
        scope="read",
        summary="List orders, newest first",
        answer=list[OrderAnswer],
        parameters={
            "agentId": "One agent's",
            "signalId": "Those from one signal",
            "positionId": "Those of one position",
            "tokenAddress": "Mint",
            "walletAddress": "Wallet",
            "status": "approved, filled, expired, canceled or rejected",
            "side": "buy or sell",
            "purpose": "entry, stop_loss or manual",
            "startTime": "First time of approval, ISO 8601 with its zone",
            "endTime": "Last time of approval",
        },
    ),
    Route(
        method="GET",
        path="/orders/{id}",
        handler=show,
        scope="read",
        summary="Get an order",
        answer=OrderAnswer,
    ),
)

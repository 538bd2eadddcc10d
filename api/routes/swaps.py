"""Historical swaps: closed trades."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.answers.swaps import SwapAnswer, swap
from api.errors import not_found
from api.identity.guard import PRINCIPAL
from api.lists import AGENT, SIGNAL, TOKEN, WALLET, Filters, answer_list, span
from api.ports import DEPS
from api.requests import path_id, short_text, uuid_text
from api.responses import json_response
from api.routing import Route
from projections.closed_positions import get_historical_swap, list_historical_swaps

_FILTERS: Final[Filters] = {
    **AGENT,
    **SIGNAL,
    **TOKEN,
    **WALLET,
    "tokenSymbol": ("symbol", short_text),
    "closeReason": ("reason", short_text),
    "purchaseTransactionId": ("entry_fill_id", uuid_text),
    "saleTransactionId": ("exit_fill_id", uuid_text),
    **span("startPurchaseTime", "endPurchaseTime", "opened_since", "opened_until"),
    **span("startSaleTime", "endSaleTime", "closed_since", "closed_until"),
}


async def list_all(request: web.Request) -> web.Response:
    """The owner's closed trades, the one closed last first."""
    return await answer_list(request, _FILTERS, list_historical_swaps, swap)


async def show(request: web.Request) -> web.Response:
    """One closed trade."""
    row = await get_historical_swap(request.app[DEPS].reader, request[PRINCIPAL].owner, path_id(request))
    if row is None:
        raise not_found("swap")
    return json_response(swap(row))


SWAPS: Final = (
    Route(
        method="GET",
        path="/agent-historical-swaps",
        handler=list_all,
        scope="read",
        summary="List closed trades, the one closed last first",
        answer=list[SwapAnswer],
        parameters={
            "agentId": "One agent's",
            "signalId": "Those from one signal",
            "tokenAddress": "Mint",
            "tokenSymbol": "Symbol, compared exactly",
            "walletAddress": "Wallet",
            "closeReason": "stop_loss or manual",
            "purchaseTransactionId": "The first fill",
            "saleTransactionId": "The last fill",
            "startPurchaseTime": "First time of opening, ISO 8601 with its zone",
            "endPurchaseTime": "Last time of opening",
            "startSaleTime": "First time of closing",
            "endSaleTime": "Last time of closing",
        },
    ),
    Route(
        method="GET",
        path="/agent-historical-swaps/{id}",
        handler=show,
        scope="read",
        summary="Get a closed trade",
        answer=SwapAnswer,
    ),
)

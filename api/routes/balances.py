"""Agents' balances, shaped as in the peer's documentation."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.answers.balances import BalanceAnswer, balance
from api.errors import Detail, invalid, not_found
from api.identity.guard import PRINCIPAL
from api.lists import AGENT, TOKEN, WALLET, Filters, answer_list
from api.ports import DEPS
from api.requests import path_id
from api.responses import json_response
from api.routing import Route
from projections.balances import MarkedBalance, get_balance, list_balances

_FILTERS: Final[Filters] = {**AGENT, **WALLET, **TOKEN}


async def list_all(request: web.Request) -> web.Response:
    """One agent's balances with their prices, the one changed last first."""
    if "agentId" not in request.query:
        raise invalid(Detail("agentId", "is required"))
    return await answer_list(request, _FILTERS, list_balances, _priced)


async def show(request: web.Request) -> web.Response:
    """One balance."""
    found = await get_balance(request.app[DEPS].reader, request[PRINCIPAL].owner, path_id(request))
    if found is None:
        raise not_found("balance")
    return json_response(balance(found, priced=False))


def _priced(found: MarkedBalance) -> BalanceAnswer:
    return balance(found, priced=True)


BALANCES: Final = (
    Route(
        method="GET",
        path="/agent-balances",
        handler=list_all,
        scope="read",
        summary="List an agent's balances",
        answer=list[BalanceAnswer],
        parameters={"agentId": "The agent; required", "walletAddress": "Wallet", "tokenAddress": "Mint"},
    ),
    Route(
        method="GET",
        path="/agent-balances/{id}",
        handler=show,
        scope="read",
        summary="Get a balance",
        answer=BalanceAnswer,
    ),
)

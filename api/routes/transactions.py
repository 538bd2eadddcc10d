"""Transactions: what was really executed or deposited."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.answers.transactions import TransactionAnswer, transaction
from api.errors import not_found
from api.identity.guard import PRINCIPAL
from api.lists import AGENT, SIGNAL, TOKEN, WALLET, Filters, answer_list, span
from api.ports import DEPS
from api.requests import one_of, path_id, uuid_text
from api.responses import json_response
from api.routing import Route
from projections.fills import get_transaction, list_transactions

_FILTERS: Final[Filters] = {
    **AGENT,
    **SIGNAL,
    **TOKEN,
    **WALLET,
    "transactionType": ("kind", one_of("DEPOSIT", "SWAP")),
    "orderId": ("order_id", uuid_text),
    "positionId": ("position_id", uuid_text),
    **span("startTime", "endTime"),
}


async def list_all(request: web.Request) -> web.Response:
    """The owner's fills and deposits, newest first."""
    return await answer_list(request, _FILTERS, list_transactions, transaction)


async def show(request: web.Request) -> web.Response:
    """One fill or deposit."""
    row = await get_transaction(request.app[DEPS].reader, request[PRINCIPAL].owner, path_id(request))
    if row is None:
        raise not_found("transaction")
    return json_response(transaction(row))


TRANSACTIONS: Final = (
    Route(
        method="GET",
        path="/agent-transactions",
        handler=list_all,
        scope="read",
        summary="List fills and deposits, newest first",
        answer=list[TransactionAnswer],
        parameters={
            "agentId": "One agent's",
            "transactionType": "DEPOSIT or SWAP",
            "signalId": "Those from one signal",
            "orderId": "That of one order",
            "positionId": "Those of one position",
            "tokenAddress": "Mint that was traded; SOL for deposits",
            "walletAddress": "Wallet",
            "startTime": "First time, ISO 8601 with its zone",
            "endTime": "Last time",
        },
    ),
    Route(
        method="GET",
        path="/agent-transactions/{id}",
        handler=show,
        scope="read",
        summary="Get a fill or deposit",
        answer=TransactionAnswer,
    ),
)

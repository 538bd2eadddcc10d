"""Prices in, and the marks that they become."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.answers.prices import PriceAnswer, mark
from api.bodies.base import parse
from api.bodies.prices import READINGS_MAX, PricesBody
from api.errors import ApiError
from api.identity.guard import PRINCIPAL
from api.ports import DEPS
from api.requests import PRICES_BODY_BYTES_MAX, filters, mint_text, page, read_body
from api.responses import json_response
from api.routing import Route
from api.writes import RecordedAnswer, begin, finish_everywhere
from daemon.domain.commands import ObservePrices
from projections.marks import get_mark, list_marks


async def observe(request: web.Request) -> web.Response:
    """Record readings on every tape; nothing is waited for."""
    body = parse(PricesBody, await read_body(request, PRICES_BODY_BYTES_MAX))
    if len(body.prices) > READINGS_MAX:
        raise ApiError(413, "BODY_TOO_LARGE", f"at most {READINGS_MAX} readings are taken at once")
    command = ObservePrices(readings=tuple(each.reading() for each in body.prices))
    return await finish_everywhere(request.app[DEPS], begin(request, body), command)


async def list_all(request: web.Request) -> web.Response:
    """The newest accepted prices, as the owner's agents are decided on."""
    deps = request.app[DEPS]
    given = filters(request, {"tokenAddress": ("mint", mint_text)})
    wanted = page(request)
    tape = deps.status.tape_of(request[PRINCIPAL].owner)
    if "mint" in given:
        found = await get_mark(deps.reader, tape, given["mint"])
        return json_response([] if found is None else [mark(found)])
    rows = await list_marks(deps.reader, tape, limit=wanted.limit, offset=wanted.offset)
    return json_response([mark(row) for row in rows])


PRICES: Final = (
    Route(
        method="POST",
        path="/prices",
        handler=observe,
        scope="prices",
        summary="Record price readings; answers 202 once they are durable",
        body=PricesBody,
        answer=RecordedAnswer,
        status=202,
        writes=True,
    ),
    Route(
        method="GET",
        path="/prices",
        handler=list_all,
        scope="read",
        summary="List the newest accepted prices",
        answer=list[PriceAnswer],
        parameters={"tokenAddress": "Mint"},
    ),
)

"""Trading signals and what agents decided on them."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from api.answers.denials import ALREADY_OPEN
from api.answers.signals import DecisionAnswer, SignalAnswer, decision, signal
from api.bodies.base import parse
from api.bodies.signals import SIGNAL_AHEAD_MS_MAX, SignalBody
from api.bodies.types import canonical_uuid
from api.errors import ApiError, Detail, invalid, not_found
from api.identity.guard import PRINCIPAL
from api.lists import AGENT, TOKEN, answer_list, span
from api.ports import DEPS
from api.requests import one_of, path_id, read_body, short_text
from api.responses import json_response
from api.routing import Route
from api.writes import Write, begin, finish
from daemon import clock
from daemon.domain.commands import HandleSignal
from daemon.domain.inputs import SIGNAL_EXPIRY_MS
from daemon.domain.values import SignalId
from daemon.records import encode
from projections.inputs import InputRow
from projections.order_ids import known_orders
from projections.query import Reader
from projections.signal_decisions import list_decisions
from projections.signals import SignalRow, get_signal, list_signals


async def create(request: web.Request) -> web.Response:
    """Post a signal: for all agents of its owner, or for those it names."""
    body = parse(SignalBody, await read_body(request))
    command = command_of(body)

    def timely() -> HandleSignal:
        check_expiry(command.expires_at, clock.now_ms())
        return command

    write = begin(request, body)

    async def content(row: InputRow) -> SignalAnswer:
        # A signal never changes, and a retry has the same body: what was sent is what is stored.
        return signal(_row(command, write, row))

    return await finish(request.app[DEPS], write, timely, content, created=True)


async def list_all(request: web.Request) -> web.Response:
    """The owner's signals, newest first."""
    known = {**TOKEN, "signalType": ("signal_type", short_text), **span("startDate", "endDate")}
    return await answer_list(request, known, list_signals, signal)


async def show(request: web.Request) -> web.Response:
    """One signal."""
    return json_response(signal(await _owned(request)))


async def decisions(request: web.Request) -> web.Response:
    """What each agent decided on a signal: approved, or denied by which rule, limit and value."""
    found = await _owned(request)
    known = {**AGENT, "outcome": ("outcome", one_of("approved", "denied"))}
    return await answer_list(request, known, _explained, lambda shown: shown, signal_id=found.id)


async def _explained(reader: Reader, owner: str, **asked: Any) -> list[DecisionAnswer]:
    """Decisions as they are shown: an id in one is looked up, to say what it is of."""
    rows = await list_decisions(reader, owner, **asked)
    held = {row.value for row in rows if row.rule == ALREADY_OPEN and canonical_uuid(row.value or "")}
    orders = await known_orders(reader, owner, sorted(filter(None, held))) if held else frozenset()
    return [decision(row, orders) for row in rows]


async def _owned(request: web.Request) -> SignalRow:
    row = await get_signal(request.app[DEPS].reader, request[PRINCIPAL].owner, path_id(request))
    if row is None:
        raise not_found("signal")
    return row


def command_of(body: SignalBody, expires_at: int | None = None) -> HandleSignal:
    """What a signal's body asks for; `expires_at` is when it ends if it does not say so itself."""
    return HandleSignal(
        mint=body.token_address,
        signal_type=body.kind,
        strength=body.strength,
        symbol=body.symbol,
        source=body.source,
        reason=body.why,
        price=body.price,
        expires_at=expires_at if body.expires_at is None else body.expires_at,
        agent_ids=None if body.agent_ids is None else tuple(body.agent_ids),
    )


def check_expiry(expires_at: int | None, now: int) -> None:
    """Raise `ApiError` for a signal that is over by `now`, or says to be good for too long."""
    if expires_at is None:
        return
    if expires_at <= now:
        raise ApiError(
            400,
            "SIGNAL_EXPIRED",
            "expiresAt lies in the past",
            details=[Detail("expiresAt", "lies in the past")],
        )
    if expires_at > now + SIGNAL_AHEAD_MS_MAX:
        raise invalid(Detail("expiresAt", "must not lie more than 24 h ahead"))


def _row(command: HandleSignal, write: Write, row: InputRow) -> SignalRow:
    return SignalRow(
        id=SignalId(write.id),
        owner=write.principal.owner,
        mint=command.mint,
        signal_type=command.signal_type,
        strength=command.strength,
        symbol=command.symbol,
        source=command.source,
        reason=command.reason,
        price=command.price,
        agent_ids=None if command.agent_ids is None else encode(command.agent_ids).decode(),
        expires_at=row.at + SIGNAL_EXPIRY_MS if command.expires_at is None else command.expires_at,
        created_at=row.at,
        tape=row.tape,
        tape_offset=row.tape_offset,
    )


SIGNALS: Final = (
    Route(
        method="POST",
        path="/trading-signals",
        handler=create,
        scope="signals",
        summary="Post a signal, in either spelling",
        body=SignalBody,
        answer=SignalAnswer,
        status=201,
        writes=True,
    ),
    Route(
        method="GET",
        path="/trading-signals",
        handler=list_all,
        scope="read",
        summary="List signals, newest first",
        answer=list[SignalAnswer],
        parameters={
            "tokenAddress": "Mint",
            "signalType": "Type, compared exactly",
            "startDate": "First time, ISO 8601 with its zone",
            "endDate": "Last time, ISO 8601 with its zone",
        },
    ),
    Route(
        method="GET",
        path="/trading-signals/{id}",
        handler=show,
        scope="read",
        summary="Get a signal",
        answer=SignalAnswer,
    ),
    Route(
        method="GET",
        path="/trading-signals/{id}/decisions",
        handler=decisions,
        scope="read",
        summary="List what agents decided on a signal, and why",
        answer=list[DecisionAnswer],
        parameters={"agentId": "One agent's", "outcome": "approved or denied"},
    ),
)

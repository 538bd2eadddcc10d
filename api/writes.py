"""One way for all writes: derive the id, look for what is known, append, wait until it is projected, answer.

The lookup before the append is a courtesy: it answers most retries without another input, and it finds keys
older than the trader remembers. The trader is the judge of everything else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiohttp import web
from pydantic import BaseModel

from api.answers import denials
from api.bodies.base import canonical
from api.errors import ApiError, unavailable
from api.identity.guard import PRINCIPAL
from api.identity.keys import Principal
from api.ports import Deps
from api.requests import idempotency_key, wants_no_wait
from api.responses import json_response
from daemon import clock
from daemon.domain import ids
from daemon.domain.commands import Actor, AnyCommand, Input
from daemon.domain.values import InputId
from daemon.records import body_hash
from projections.inputs import InputRow, get_input, list_inputs
from streams.intake import Recorded

BEHIND_SECONDS_MAX: Final = 12 * 3600
"""Keyed writes are refused beyond it: half of the time for which the trader remembers ids."""
KNOWN_MAX: Final = 10
"""How many inputs of one id are looked at; the first of them is the one that counts."""
REPLAYED: Final = {"Idempotency-Replayed": "true"}


class Place(msgspec.Struct, frozen=True):
    """Where an input stands: durable from here on."""

    tape: int
    offset: int


class RecordedAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The write is durable, its outcome not known yet. `HALTED`: the tape waits for an operator."""

    id: str
    status: str
    recorded: list[Place]
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Write:
    """A write that has passed the checks of form, scope and key."""

    id: InputId
    principal: Principal
    route: str
    hash: str
    keyed: bool
    no_wait: bool

    def input(self, command: AnyCommand) -> Input:
        """As it goes onto the tape."""
        return Input(
            id=self.id,
            actor=Actor(owner=self.principal.owner, key=self.principal.key_id),
            command=command,
            route=self.route,
            hash=self.hash,
            keyed=self.keyed,
        )


Content = Callable[[InputRow], Awaitable[Any]]
"""Reads what an accepted write answers, a struct or a dict of JSON's kinds, given the input that counts."""

Denied = Callable[[InputRow], Awaitable[ApiError | None]]
"""Knows better than the trader's code why a write was denied, or None: the read models remember more."""


def begin(request: web.Request, body: BaseModel, resource_id: str | None = None) -> Write:
    """The write that this request asks for; `resource_id` is the id in its path, in lower case."""
    principal = request[PRINCIPAL]
    key = idempotency_key(request)
    path = request.path if resource_id is None else request.path.lower()
    route = f"{request.method} {path}"
    return Write(
        id=ids.input_id(principal.owner, route, key) if key is not None else InputId(clock.random_id()),
        principal=principal,
        route=route,
        hash=body_hash(canonical(body)),
        keyed=key is not None,
        no_wait=wants_no_wait(request),
    )


async def finish(
    deps: Deps,
    write: Write,
    command: Callable[[], AnyCommand],
    content: Content,
    *,
    created: bool = False,
    denied: Denied | None = None,
) -> web.Response:
    """Append, wait and answer. `command` may still refuse: it is asked after a known key was answered."""
    if write.keyed:
        known = await _known(deps, write)
        if known is not None:
            return await _replay(write, known, content, denied, created=created)
    item = write.input(command())
    recorded = await deps.intake.put(item)
    halted = deps.status.is_halted(recorded.tape)
    if write.no_wait or halted:
        return _accepted(write, [recorded], halted=halted)
    projected, row = await deps.progress.wait_row(recorded.tape, recorded.offset, deps.wait_seconds)
    if not projected:
        return _accepted(write, [recorded], halted=deps.status.is_halted(recorded.tape))
    row = row or await get_input(deps.reader, recorded.tape, recorded.offset)
    if row is None:
        return _accepted(write, [recorded], halted=False)
    if row.outcome == "repeated":
        first = await _first(deps, row)
        if first is None:
            return _accepted(write, [recorded], halted=False)
        return await _replay(write, first, content, denied, created=created)
    return await _answer(row, content, denied, created=created)


async def finish_everywhere(deps: Deps, write: Write, command: AnyCommand) -> web.Response:
    """Append to every tape and answer at once."""
    recorded = await deps.intake.put_everywhere(write.input(command))
    halted = any(deps.status.is_halted(place.tape) for place in recorded)
    return _accepted(write, recorded, halted=halted)


async def _known(deps: Deps, write: Write) -> InputRow | None:
    if deps.status.is_rebuilding():
        raise unavailable(
            "PROJECTION_BEHIND", "the read models are being rebuilt, so no Idempotency-Key can be checked", 5
        )
    standing = deps.status.tapes()[deps.status.tape_of(write.principal.owner)]
    behind = max(standing.trader_lag_seconds, standing.projection_lag_seconds)
    if behind > BEHIND_SECONDS_MAX:
        raise unavailable(
            "PROJECTION_BEHIND",
            f"the read models are {behind / 3600:.0f} h behind, so this Idempotency-Key cannot be checked",
            60,
        )
    rows = await list_inputs(deps.reader, write.id, limit=KNOWN_MAX)
    return next((row for row in rows if row.outcome != "repeated"), None)


async def _first(deps: Deps, row: InputRow) -> InputRow | None:
    """The first input of a repeated one's id."""
    return None if row.repeats is None else await get_input(deps.reader, row.tape, row.repeats)


async def _replay(
    write: Write, first: InputRow, content: Content, denied: Denied | None, *, created: bool
) -> web.Response:
    """The first outcome with what it led to as it is now; 422 for another body."""
    if first.body_hash != write.hash:
        raise ApiError(
            422,
            "IDEMPOTENCY_MISMATCH",
            "this Idempotency-Key was used on this route with another body",
            more={"recorded": _places([Recorded(first.tape, first.tape_offset)])},
        )
    try:
        response = await _answer(first, content, denied, created=created)
    except ApiError as error:
        error.headers = {**(error.headers or {}), **REPLAYED}
        raise
    response.headers.update(REPLAYED)
    return response


async def _answer(row: InputRow, content: Content, denied: Denied | None, *, created: bool) -> web.Response:
    recorded = _places([Recorded(row.tape, row.tape_offset)])
    if row.outcome != "accepted":
        known = await denied(row) if denied is not None and row.outcome == "denied" else None
        error = _refusal(row) if known is None else known
        error.more = {**(error.more or {}), "recorded": recorded}
        raise error
    found = msgspec.to_builtins(await content(row))
    return json_response({**found, "recorded": recorded}, 201 if created else 200)


def _refusal(row: InputRow) -> ApiError:
    if row.outcome == "dropped":
        return ApiError(409, "INPUT_DROPPED", "an operator let the trader skip this request")
    code = row.code or "DENIED"
    shown = denials.denial(row.rule, row.limit, row.value)
    more = {"rule": row.rule, "limit": shown.limit, "value": shown.value}
    status = 404 if code.endswith("_NOT_FOUND") else 409
    return ApiError(status, code, denials.message(row, shown), more=more)


def _accepted(write: Write, recorded: Sequence[Recorded], *, halted: bool) -> web.Response:
    answer = RecordedAnswer(
        id=write.id,
        status="recorded",
        recorded=_places(recorded),
        code="HALTED" if halted else None,
        message="it is durable, and will be decided when an operator lets the tape go on" if halted else None,
    )
    return json_response(answer, 202, {"Preference-Applied": "respond-async"} if write.no_wait else None)


def _places(recorded: Sequence[Recorded]) -> list[Place]:
    return [Place(each.tape, each.offset) for each in recorded]

"""Signals that come by a topic outside: judged as the API judges a body, under the ids that it would give.

Who may write to that topic is the broker's affair; a record only names the id of the API key it comes under.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from api.bodies.base import canonical, parse
from api.bodies.signals import SignalBody
from api.bodies.types import canonical_uuid
from api.errors import ApiError
from api.identity.keys import Principal, principals
from api.requests import BODY_BYTES_MAX, invalid_idempotency_key, is_idempotency_key, too_large
from api.routes.signals import check_expiry, command_of
from api.routing import PREFIX
from daemon.domain import ids
from daemon.domain.commands import Actor, Input, Origin
from daemon.domain.inputs import SIGNAL_EXPIRY_MS
from daemon.domain.values import InputId
from daemon.records import body_hash
from projections.query import Reader
from streams.edges.records import OutsideRecord, Rejection

ROUTE: Final = f"POST {PREFIX}/trading-signals"
"""Of the request that would have posted the same signal: an idempotency key counts for both."""
KEY_ID_HEADER: Final = "key-id"
IDEMPOTENCY_HEADER: Final = "idempotency-key"

_log = structlog.get_logger("outside")


class SignalJudge:
    """Makes inputs of records. Keys are looked up for each batch: a revoked one is refused at once."""

    def __init__(self, database: Reader) -> None:
        self._database = database

    async def __call__(
        self, records: Sequence[OutsideRecord], passed: Mapping[int, int]
    ) -> Sequence[Input | Rejection]:
        """What each record is."""
        named = [_key_id(record) for record in records]
        known = await principals(self._database, sorted({each for each in named if each is not None}))
        return [
            _judge(record, known.get(key_id or ""), passed[record.partition])
            for record, key_id in zip(records, named, strict=True)
        ]


def _judge(record: OutsideRecord, principal: Principal | None, passed: int) -> Input | Rejection:
    try:
        return _input(record, principal, passed)
    except ApiError as error:
        details = [{"field": each.field, "message": each.message} for each in error.details or ()]
        return Rejection(error.code, error.message, details)
    except Exception as error:  # noqa: BLE001 - one record that nobody foresaw must not hold up the others
        _log.error("cannot judge", partition=record.partition, offset=record.offset, exc_info=error)
        return Rejection("UNREADABLE", "this record cannot be read as a signal")


def _input(record: OutsideRecord, principal: Principal | None, passed: int) -> Input:
    if principal is None:
        raise ApiError(
            401, "UNAUTHORIZED", f"the key, or the header {KEY_ID_HEADER}, must be the id of a valid API key"
        )
    if not principal.may("signals"):
        raise ApiError(403, "FORBIDDEN", "this API key lacks the scope signals")
    value = record.value or b""
    if len(value) > BODY_BYTES_MAX:
        raise too_large(BODY_BYTES_MAX)
    body = parse(SignalBody, value)
    # By when the record came, not by when it is read: so it is judged alike each time.
    check_expiry(body.expires_at, record.at)
    command = command_of(body, record.at + SIGNAL_EXPIRY_MS)
    key = _idempotency_key(record)
    place = (record.topic, str(record.partition), str(record.offset))
    return Input(
        id=InputId(ids.derive("outside", *place))
        if key is None
        else ids.input_id(principal.owner, ROUTE, key),
        actor=Actor(owner=principal.owner, key=principal.key_id),
        command=command,
        route=ROUTE,
        hash=body_hash(canonical(body)),
        keyed=key is not None,
        origin=Origin(topic=record.topic, partition=record.partition, offset=record.offset, passed=passed),
    )


def _key_id(record: OutsideRecord) -> str | None:
    named = record.headers.get(KEY_ID_HEADER, record.key or b"")
    return canonical_uuid(named.decode("ascii", "replace"))


def _idempotency_key(record: OutsideRecord) -> str | None:
    given = record.headers.get(IDEMPOTENCY_HEADER)
    if given is None:
        return None
    try:
        key = given.decode()
    except UnicodeDecodeError:
        raise invalid_idempotency_key() from None
    if not is_idempotency_key(key):
        raise invalid_idempotency_key()
    return key

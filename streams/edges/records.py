"""Records from outside, and what may be made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from daemon.domain.commands import Input


class OutsideRecord(NamedTuple):
    """One record of the topic of signals."""

    topic: str
    partition: int
    offset: int
    at: int
    """When the broker took it (ms)."""
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


class Rejection(NamedTuple):
    """Why a record is no valid signal: a code of the API's, and what is wrong in which field."""

    code: str
    message: str
    details: Sequence[Mapping[str, str]] = ()


class Judge(Protocol):
    """Knows what a valid signal is. The floor above has it, so it is handed in."""

    async def __call__(
        self, records: Sequence[OutsideRecord], passed: Mapping[int, int]
    ) -> Sequence[Input | Rejection]:
        """What each record is: an input with its origin, of which `passed` tells by partition, or refused."""


class RejectedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the topic of rejected records: of the record itself only its place."""

    topic: str
    partition: int
    offset: int
    at: int
    code: str
    message: str
    details: Sequence[Mapping[str, str]]


PASSED_HEADER = "passed"
"""Of a rejected record: up to where its partition was dealt with before, in decimal digits."""


def rejected(record: OutsideRecord, why: Rejection) -> tuple[bytes, bytes]:
    """Key and value of a rejected record: the same whenever it is written."""
    told = RejectedRecord(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=record.at,
        code=why.code,
        message=why.message,
        details=why.details,
    )
    return b"%d-%d" % (record.partition, record.offset), msgspec.json.encode(told)

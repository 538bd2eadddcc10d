"""The stored format: canonical JSON of inputs and entries, and the hash chain over the journal's records.

A tape record is one `Input`. A journal record is one part of an `Entry`: an entry is split greedily at its
events into parts of at most `RECORD_BYTES_MAX`, committed together. Each part holds the SHA-256 of the stored
bytes of the record before it, so the chain needs nothing but the bytes. Stored bytes are never re-encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from daemon.domain.commands import Input
from daemon.domain.events import AnyEvent, Event
from daemon.domain.values import Price

RECORD_BYTES_MAX: Final = 256 * 1024
"""Largest stored record. A body is at most 64 KB, so a single event always fits."""

_EVENTS_BYTES_MAX: Final = RECORD_BYTES_MAX - 1024
"""Of one record, with a comma each; the rest is room for its head."""

DECIDER_VERSION: Final = 1
"""Raised by hand when a decision changes: the same tape would then give another journal."""

GENESIS: Final = "0" * 64
"""What the first record of a journal names as the record before it."""


class UnreadableRecord(Exception):
    """Stored bytes that are no record of ours; names the place."""


class BrokenChain(Exception):
    """A record does not follow from the one before it; names the place."""


class TapeRecord(NamedTuple):
    """One stored input: its offset, the log's time of append (ms), its bytes."""

    offset: int
    at: int
    data: bytes


class JournalRecord(NamedTuple):
    """One stored part of an entry: its journal offset, the tape offset it came from, its bytes."""

    offset: int
    tape_offset: int
    data: bytes


class Sealed(NamedTuple):
    """An entry ready to be committed: its parts, chained, and the hash of the last one."""

    tape_offset: int
    parts: tuple[bytes, ...]
    hash: str


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A journal record as stored."""

    tape_offset: int
    at: int
    """The trader's `now` when it decided: a fold of the tape's times, never a host's clock."""
    version: int
    part: int
    parts: int
    prev: str
    events: tuple[AnyEvent, ...]


class Entry(NamedTuple):
    """All that one input decided."""

    tape_offset: int
    at: int
    version: int
    events: tuple[AnyEvent, ...]


def _to_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise NotImplementedError(f"no stored form for {type(value).__name__}")


def from_text(kind: type, value: Any) -> Any:
    """The decoding twin of `encode`, for msgspec decoders of stored text: prices are not plain decimals."""
    if kind is Price and isinstance(value, str):
        return Price(value)
    raise NotImplementedError(f"no stored form for {kind.__name__}")


_encoder: Final = msgspec.json.Encoder(enc_hook=_to_text, order="deterministic")
_input_decoder: Final = msgspec.json.Decoder(Input, dec_hook=from_text)
_part_decoder: Final = msgspec.json.Decoder(Part, dec_hook=from_text)


def encode(value: Any) -> bytes:
    """Canonical JSON of a struct of ours: declared field order, sorted keys, decimals in plain notation."""
    return _encoder.encode(value)


def body_hash(body: Any) -> str:
    """SHA-256 (hex) of a validated body as the client sent it, no default filled in."""
    return hashlib.sha256(msgspec.json.encode(body, enc_hook=_to_text, order="sorted")).hexdigest()


def decode_input(record: TapeRecord) -> Input:
    """The input of a tape record; raises `UnreadableRecord` naming its offset."""
    try:
        return _input_decoder.decode(record.data)
    except (msgspec.MsgspecError, ArithmeticError, ValueError) as error:
        raise UnreadableRecord(f"tape offset {record.offset}: {error}") from error


def decode_part(record: JournalRecord) -> Part:
    """The part held by a journal record; raises `UnreadableRecord` naming its offset."""
    try:
        part = _part_decoder.decode(record.data)
    except (msgspec.MsgspecError, ArithmeticError, ValueError) as error:
        raise UnreadableRecord(f"journal offset {record.offset}: {error}") from error
    if part.tape_offset != record.tape_offset:
        raise UnreadableRecord(
            f"journal offset {record.offset}: stored for tape offset {record.tape_offset}, "
            f"holds {part.tape_offset}"
        )
    return part


def record_hash(data: bytes) -> str:
    """SHA-256 (hex) of a record's stored bytes."""
    return hashlib.sha256(data).hexdigest()


def encode_events(events: Sequence[AnyEvent]) -> Sequence[bytes]:
    """A few events as `seal` takes them: joined by one call if they fit one record, else one by one."""
    joined = _encoder.encode(events)[1:-1]
    return (joined,) if len(joined) < _EVENTS_BYTES_MAX else [encode(event) for event in events]


def seal(prev: str, tape_offset: int, at: int, events: Sequence[bytes]) -> Sealed:
    """Chain one entry to the record whose hash is `prev`; `events` are encoded."""
    joined = b",".join(events)
    if len(joined) < _EVENTS_BYTES_MAX:
        data = b"".join((_head(prev, tape_offset, at, 0, 1), joined, b"]}"))
        return Sealed(tape_offset, (data,), record_hash(data))
    steps = sealing(prev, tape_offset, at, events)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            sealed: Sealed = done.value
            return sealed


def sealing(prev: str, tape_offset: int, at: int, events: Sequence[bytes]) -> Generator[None, None, Sealed]:
    """`seal` in steps: yields after each part of a large entry, so that the caller can let others run.

    Its events are encoded one by one, so that it can be split between them.
    """
    packs: list[Sequence[bytes]] = []
    for pack in _pack(events):
        packs.append(pack)
        yield
    parts: list[bytes] = []
    for number, pack in enumerate(packs):
        data = b"".join((_head(prev, tape_offset, at, number, len(packs)), b",".join(pack), b"]}"))
        parts.append(data)
        prev = record_hash(data)
        yield
    return Sealed(tape_offset, tuple(parts), prev)


def _head(prev: str, tape_offset: int, at: int, part: int, parts: int) -> bytes:
    return (
        f'{{"tape_offset":{tape_offset},"at":{at},"version":{DECIDER_VERSION},'
        f'"part":{part},"parts":{parts},"prev":"{prev}","events":['
    ).encode()


def _pack(events: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    pack: list[bytes] = []
    size = 0
    for event in events:
        if pack and size + len(event) + 1 > _EVENTS_BYTES_MAX:
            yield pack
            pack, size = [], 0
        pack.append(event)
        size += len(event) + 1
    yield pack


class ChainReader:
    """Joins the parts of entries in journal order and checks that every record follows from the last.

    `hash` is that of the last record read; `reached` the tape offset of the last whole entry.
    """

    def __init__(self, prev: str = GENESIS, reached: int = -1) -> None:
        self.hash = prev
        self.reached = reached
        self._parts: list[Part] = []

    @property
    def whole(self) -> bool:
        """Whether the last record read ended an entry."""
        return not self._parts

    def read(self, records: Iterable[JournalRecord]) -> Iterator[Entry]:
        """The whole entries of these records.

        Raises `BrokenChain` where a record does not name the one before it, a part is missing or an entry
        does not lie behind the last, and `UnreadableRecord` where the bytes are no record.
        """
        for record in records:
            entry = self.take(record)
            if entry is not None:
                yield entry

    def take(self, record: JournalRecord) -> Entry | None:
        """The entry that this record ends, if it ends one; for who lets others run between the parts."""
        part = decode_part(record)
        self._check(record, part)
        self.hash = record_hash(record.data)
        self._parts.append(part)
        if len(self._parts) < part.parts:
            return None
        if part.parts == 1:
            events = part.events
        else:
            events = tuple(event for each in self._parts for event in each.events)
        self._parts.clear()
        self.reached = part.tape_offset
        return Entry(part.tape_offset, part.at, part.version, events)

    def _check(self, record: JournalRecord, part: Part) -> None:
        place = f"journal offset {record.offset}"
        if part.prev != self.hash:
            raise BrokenChain(
                f"{place}: names {part.prev[:16]}… as the record before it, found {self.hash[:16]}…"
            )
        if part.part != len(self._parts):
            raise BrokenChain(f"{place}: part {part.part} of {part.parts}, expected part {len(self._parts)}")
        if self._parts and part.tape_offset != self._parts[0].tape_offset:
            raise BrokenChain(f"{place}: entry {self._parts[0].tape_offset} lacks a part")
        if not self._parts and part.tape_offset <= self.reached:
            raise BrokenChain(f"{place}: entry {part.tape_offset} stands behind entry {self.reached}")


def event_name(event: Event) -> str:
    """The stored name of an event."""
    return type(event).__name__

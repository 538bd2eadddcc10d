"""The stored format: records, the chain over them, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator

import msgspec
import pytest

from daemon.domain.commands import HandleSignal
from daemon.domain.events import Event, InputRepeated, SignalReceived
from daemon.domain.values import InputId, Price
from daemon.records import (
    DECIDER_VERSION,
    GENESIS,
    RECORD_BYTES_MAX,
    BrokenChain,
    ChainReader,
    Entry,
    JournalRecord,
    Sealed,
    TapeRecord,
    UnreadableRecord,
    body_hash,
    decode_input,
    decode_part,
    encode,
    encode_events,
    event_name,
    record_hash,
    seal,
    sealing,
)
from tests.support.examples import AT, COMMANDS, EVENTS, MINT, an_input


def repeated(name: str) -> bytes:
    return encode(InputRepeated(input_id=InputId(name), first_offset=1, same_body=True))


def chain(*entries: tuple[int, list[bytes]]) -> list[JournalRecord]:
    """A journal of these entries: tape offset, encoded events."""
    records: list[JournalRecord] = []
    prev = GENESIS
    for tape_offset, events in entries:
        sealed = seal(prev, tape_offset, AT, events)
        prev = sealed.hash
        records += [JournalRecord(len(records) + n, tape_offset, part) for n, part in enumerate(sealed.parts)]
    return records


def to_end(steps: Generator[None, None, Sealed]) -> Sealed:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            sealed: Sealed = done.value
            return sealed


def large(number: int) -> bytes:
    signal = EVENTS[SignalReceived]
    return encode(msgspec.structs.replace(signal, reason=f"{number}" * 60_000))


def test_an_entry_survives_the_journal() -> None:
    """What was sealed is read again, with its offset, time and version."""
    records = chain((3, [repeated("a")]), (5, []), (6, [encode(each) for each in EVENTS.values()]))
    entries = list(ChainReader().read(records))
    assert [each.tape_offset for each in entries] == [3, 5, 6]
    assert entries[1] == Entry(5, AT, DECIDER_VERSION, ())
    assert entries[2].events == tuple(EVENTS.values())


def test_a_record_is_canonical_json() -> None:
    """A record can be read with any tool: fields in declared order, keys sorted, no blanks."""
    (record,) = chain((3, [repeated("a")]))
    assert record.data == (
        b'{"tape_offset":3,"at":%d,"version":1,"part":0,"parts":1,"prev":"%s","events":['
        b'{"type":"InputRepeated","input_id":"a","first_offset":1,"same_body":true}]}'
        % (AT, GENESIS.encode())
    )
    assert msgspec.json.encode(decode_part(record)) == record.data


def test_the_chain_runs_over_stored_bytes() -> None:
    """Each record names the SHA-256 of the bytes of the one before it."""
    records = chain((0, [repeated("a")]), (1, [repeated("b")]))
    assert decode_part(records[1]).prev == hashlib.sha256(records[0].data).hexdigest()
    reader = ChainReader()
    list(reader.read(records))
    assert reader.hash == record_hash(records[1].data)
    assert reader.reached == 1


def test_a_large_entry_is_split_at_its_events() -> None:
    """Parts stay below the limit, are filled greedily, and are joined again in order."""
    events = [large(number) for number in range(10)]
    records = chain((0, [repeated("a")]), (1, events), (2, [repeated("b")]))
    parts = [decode_part(each) for each in records]
    assert [(each.part, each.parts) for each in parts] == [(0, 1), (0, 3), (1, 3), (2, 3), (0, 1)]
    assert [len(each.events) for each in parts[1:4]] == [4, 4, 2]
    assert max(len(each.data) for each in records) <= RECORD_BYTES_MAX
    entries = list(ChainReader().read(records))
    assert [encode(each) for each in entries[1].events] == events


def test_events_encoded_together_are_stored_as_those_encoded_one_by_one() -> None:
    """How an entry was encoded and sealed, at once or in steps, does not show in its bytes."""
    few = list(EVENTS.values())
    expected = seal(GENESIS, 3, AT, [encode(each) for each in few])
    assert seal(GENESIS, 3, AT, encode_events(few)) == expected
    assert to_end(sealing(GENESIS, 3, AT, [encode(each) for each in few])) == expected


def test_parts_may_come_page_by_page() -> None:
    """A reader that is given half an entry waits for the rest."""
    records = chain((1, [large(number) for number in range(10)]))
    reader = ChainReader()
    assert list(reader.read(records[:2])) == []
    assert not reader.whole
    assert [each.tape_offset for each in reader.read(records[2:])] == [1]
    assert reader.whole


BREAKS: dict[str, Callable[[list[JournalRecord]], list[JournalRecord]]] = {
    "a byte": lambda r: [r[0]._replace(data=r[0].data.replace(b'"a"', b'"b"')), *r[1:]],
    "a record lost": lambda r: [r[0], *r[2:]],
    "the first lost": lambda r: r[1:],
    "a part lost": lambda r: [*r[:2], *r[3:]],
    "a record twice": lambda r: [r[0], *r],
    "two exchanged": lambda r: [r[1], r[0], *r[2:]],
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_chain_is_found(name: str) -> None:
    """A changed byte, a lost, doubled or exchanged record breaks the chain where it happened."""
    records = chain((0, [repeated("a")]), (1, [large(n) for n in range(10)]), (2, [repeated("b")]))
    with pytest.raises(BrokenChain, match="journal offset"):
        list(ChainReader().read(BREAKS[name](records)))


def test_an_entry_lies_behind_the_last() -> None:
    """Two entries of one input, or one that steps back, break the chain though every hash fits."""
    for offsets in ((1, 1), (2, 1)):
        records = chain(*((each, [repeated("a")]) for each in offsets))
        with pytest.raises(BrokenChain, match="stands behind"):
            list(ChainReader().read(records))


def test_a_reader_starts_from_a_known_end() -> None:
    """A reader given hash and offset goes on from there."""
    records = chain((0, [repeated("a")]), (1, [repeated("b")]), (2, [repeated("c")]))
    reader = ChainReader(record_hash(records[1].data), 1)
    assert [each.tape_offset for each in reader.read(records[2:])] == [2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"tape_offset":1}',
        encode(an_input(COMMANDS[HandleSignal])).replace(b"HandleSignal", b"Unknown"),
        encode(an_input(COMMANDS[HandleSignal])).replace(b"0.0067", b"cheap"),
        encode(an_input(COMMANDS[HandleSignal])).replace(b'"strength":4', b'"strength":"4"'),
    ],
)
def test_what_is_no_record_is_named(data: bytes) -> None:
    """Bytes that are no input or no entry raise UnreadableRecord with their offset, and nothing else."""
    with pytest.raises(UnreadableRecord, match="tape offset 7"):
        decode_input(TapeRecord(7, AT, data))
    with pytest.raises(UnreadableRecord, match="journal offset 7"):
        decode_part(JournalRecord(7, 0, data))


def test_a_record_belongs_to_its_tape_offset() -> None:
    """A record stored for another tape offset than it holds is refused."""
    (record,) = chain((3, [repeated("a")]))
    with pytest.raises(UnreadableRecord, match="stored for tape offset 4, holds 3"):
        decode_part(record._replace(tape_offset=4))


def test_decimals_are_stored_in_plain_notation() -> None:
    """No exponent reaches the journal, and what is read is the same number."""
    signal = msgspec.structs.replace(COMMANDS[HandleSignal], price=Price("1E-18"))
    data = encode(an_input(signal))
    assert b'"price":"0.000000000000000001"' in data
    read = decode_input(TapeRecord(0, 0, data)).command
    assert isinstance(read, HandleSignal)
    assert (read.price, type(read.price)) == (Price("1E-18"), Price)
    assert encode({"b": Price("1E+3"), "a": 1}) == b'{"a":1,"b":"1000"}'


def test_only_known_forms_are_stored() -> None:
    """A value without a stored form is an error, not a guess."""
    with pytest.raises(NotImplementedError):
        encode({"a": object()})


def test_a_body_hash_knows_no_order() -> None:
    """The hash of a body is that of its content: the order of keys is not, an absent default is."""
    assert body_hash({"a": 1, "b": {"c": 2, "d": 3}}) == body_hash({"b": {"d": 3, "c": 2}, "a": 1})
    assert body_hash({"a": 1}) != body_hash({"a": 1, "b": None})


@pytest.mark.parametrize("event", EVENTS.values(), ids=event_name)
def test_an_event_is_stored_under_its_name(event: Event) -> None:
    """The type's name leads the stored form."""
    assert encode(event).startswith(b'{"type":"%s"' % event_name(event).encode())


def test_mints_keep_their_case() -> None:
    """A mint is stored as it is: base58 is case-sensitive."""
    assert MINT.encode() in encode(an_input(COMMANDS[HandleSignal]))

"""The stored format: what was once written can be read and is written the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from daemon.domain.commands import AnyCommand
from daemon.domain.events import AnyEvent
from daemon.records import GENESIS, JournalRecord, TapeRecord, decode_input, decode_part, encode, seal
from tests.support.examples import COMMANDS, EVENTS, an_input

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "events"
NAMES = sorted(each.__name__ for each in (*get_args(AnyCommand), *get_args(AnyEvent)))


def read_back(kind: str, data: bytes) -> Any:
    """What a stored sample holds: an input around a command, or an event."""
    if kind in {each.__name__ for each in get_args(AnyCommand)}:
        return decode_input(TapeRecord(0, 0, data))
    (part,) = seal(GENESIS, 0, 0, [data]).parts
    return decode_part(JournalRecord(0, 0, part)).events[0]


def written_now() -> dict[str, bytes]:
    """Today's examples as they are stored today."""
    commands = {type(each).__name__: encode(an_input(each)) for each in COMMANDS.values()}
    return commands | {type(each).__name__: encode(each) for each in EVENTS.values()}


def test_every_command_and_event_has_an_example() -> None:
    """A new command or event comes with an example and a stored sample of it."""
    assert sorted(written_now()) == NAMES
    assert {path.stem.split("-")[0] for path in GOLDEN.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_stored_sample_is_read_and_written_the_same(path: Path) -> None:
    """Bytes stored by an earlier version decode, and encode to the same bytes again."""
    data = path.read_bytes().rstrip(b"\n")
    assert encode(read_back(path.stem.split("-")[0], data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_stored_as_its_sample(name: str) -> None:
    """What is written today is what the sample holds: the format changes only on purpose."""
    sample = (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")
    assert written_now()[name] == sample
    example = {type(each).__name__: each for each in (*COMMANDS.values(), *EVENTS.values())}[name]
    read = read_back(name, sample)
    assert (read.command if hasattr(read, "command") else read) == example


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_holds_every_field(name: str) -> None:
    """An example leaves no field at its default unless its events contradict each other otherwise."""
    example = {type(each).__name__: each for each in (*COMMANDS.values(), *EVENTS.values())}[name]
    absent = {
        field.name
        for field in msgspec.structs.fields(example)
        if field.default is not msgspec.NODEFAULT and getattr(example, field.name) == field.default
    }
    # An entry order has no position, cause or stop yet; the fee is paid in SOL, the first n is 0.
    allowed = {
        "OrderApproved": {"n", "position_id", "cause", "trigger_price"},
        "OrderFilled": {"fee_mint"},
        "CommandDenied": set[str](),
    }
    assert absent <= allowed.get(name, set())

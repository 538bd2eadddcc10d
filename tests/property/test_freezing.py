"""A tape that was frozen and thawed is the one that was folded."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.freezing import copy as copy_of
from daemon.domain.freezing import freezing, thawing
from daemon.domain.tape import Tape
from daemon.records import ChainReader, UnreadableRecord, decode_input
from tests.support.scripts import SCRIPTS, Player, Step, played
from tests.support.world import World, knowledge


def lines_of(tape: Tape, reached: int) -> list[bytes]:
    """A tape's state as it is stored."""
    return list(freezing(copy_of(tape), reached))


def thawed(lines: list[bytes]) -> Tape:
    """The tape of these lines."""
    steps = thawing(lines)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            tape: Tape = done.value
            return tape


def fold_tail(tape: Tape, world: World, after: int) -> None:
    """Fold what is stored behind a tape offset."""
    entries = {entry.tape_offset: entry.events for entry in ChainReader().read(world.journal)}
    for record in world.records[after + 1 :]:
        try:
            asked = decode_input(record)
        except UnreadableRecord:
            asked = None
        tape.fold(record.offset, record.at, asked, entries.get(record.offset, ()))


@given(SCRIPTS, st.floats(0, 1))
def test_a_snapshot_and_the_tail_are_the_full_fold(script: list[Step], share: float) -> None:
    """Wherever the snapshot was taken, it and what follows give the state of a full fold, and its journal."""
    part, half = int(len(script) * share / 2), len(script) // 2
    player = Player()
    player.play(script[:part])
    reached = len(player.world.records) - 1
    lines = lines_of(player.world.tape, reached)
    player.play(script[part:half])
    tape = thawed(lines)
    assert lines_of(tape, reached) == lines
    fold_tail(tape, player.world, reached)
    assert knowledge(tape) == knowledge(player.world.refolded()) == knowledge(player.world.tape)
    started = copy.deepcopy(player)
    started.world.tape = tape
    player.play(script[half:])
    started.play(script[half:])
    assert started.world.journal_bytes() == player.world.journal_bytes()
    assert knowledge(started.world.tape) == knowledge(player.world.tape)


@given(SCRIPTS)
def test_a_copy_stays_what_it_was(script: list[Step]) -> None:
    """What is decided, committed or taken back while a copy is written down does not show in it."""
    half = len(script) // 2
    player = played(script[:half])
    reached = len(player.world.records) - 1
    taken = copy_of(player.world.tape)
    then = list(freezing(taken, reached))
    player.world.hold()
    player.play(script[half:])
    assert list(freezing(taken, reached)) == then
    player.world.rollback()
    assert list(freezing(taken, reached)) == then
    assert lines_of(player.world.tape, reached) == then

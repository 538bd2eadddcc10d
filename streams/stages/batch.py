"""What the trader has decided and not yet committed."""

from __future__ import annotations

from daemon.domain.commands import DropInput, Input
from daemon.domain.events import AnyEvent
from daemon.domain.freezing import Copy
from daemon.domain.tape import Decided
from daemon.records import Sealed, TapeRecord, UnreadableRecord, decode_input


class Batch:
    """Entries of consecutive inputs, chained to the journal's last record, whose hash is `chain`."""

    def __init__(self, reached: int, chain: str) -> None:
        self.reached = reached
        self.hash = chain
        self.entries: list[Sealed] = []
        self.events: list[AnyEvent] = []
        self.decided: Decided | None = None
        """Its end in the working state, to make it final while the next batch is being decided."""
        self.state: Copy | None = None
        """The working state at its end, if a snapshot is due there."""
        self.began = 0.0
        """When its commit began, by the monotonic clock."""

    def next(self) -> Batch:
        """An empty batch that follows this one."""
        return Batch(self.reached, self.hash)


def names_drop(record: TapeRecord, offset: int) -> Input | None:
    """The input of this record if it drops the one at `offset`; a halted trader looks for nothing else."""
    try:
        given = decode_input(record)
    except UnreadableRecord:
        return None
    command = given.command
    return given if isinstance(command, DropInput) and command.offset == offset else None

"""`tapefold why`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import asyncpg
import msgspec

from daemon.records import UnreadableRecord
from ops.cli.options import uuid_of
from ops.errors import StartError
from ops.installation import Installation, read_settings, run_command, use_installation
from ops.why.journal import JournalReader
from ops.why.lookup import find, find_reached, find_signal, name_agents
from ops.why.parts import Tree
from ops.why.reached import Reached, first_reached
from ops.why.story import of_agents, tell
from ops.why.text import Line, lines
from projections.progress import list_progress
from streams.log.contract import Log


def run(*, home: Path | None, id_: str, as_json: bool) -> None:
    """Print the chain of a signal, an order, a fill or a position."""
    wanted = uuid_of(id_, "a signal, order, fill or position")
    story, further = run_command(_why(home, wanted, tell_all=as_json))
    if as_json:
        print(msgspec.json.encode(story).decode())
    else:
        _print(lines(story, further))


async def _why(home: Path | None, wanted: str, *, tell_all: bool) -> tuple[Tree, Mapping[str, int]]:
    async with use_installation(read_settings(home=home), "tapefold why", must_exist=True) as installation:
        try:
            return await _tell(installation, wanted, tell_all=tell_all)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            raise StartError(
                "there are no read models of this version: start `tapefold up`, or make them with "
                "`tapefold rebuild`"
            ) from None
        except UnreadableRecord as error:
            raise StartError(f"the journal cannot be read ({error}): see `tapefold verify`") from None


async def _tell(installation: Installation, wanted: str, *, tell_all: bool) -> tuple[Tree, Mapping[str, int]]:
    """The story, and how many agents it leaves out by their outcome."""
    reader, log = installation.database.pool, installation.log
    reached = Reached(None, {})
    signal = await find_signal(reader, wanted)
    if signal is not None:
        journal = await _journal(log, signal.tape)
        if not tell_all:
            reached = first_reached(signal.id, await journal.at(signal.tape_offset))
        found = await find_reached(reader, signal, reached.shown)
    else:
        chain = await find(reader, wanted)
        if chain is None:
            raise StartError(
                f"no signal, order, fill or position has the id {wanted}{await _behind(installation)}"
            )
        found, journal = chain, await _journal(log, chain.tape)
    story = await tell(found, journal, reader)
    parts = of_agents(story)
    agents = await name_agents(reader, sorted({each["agentId"] for each in parts}))
    for each in parts:
        agent = agents.get(each["agentId"])
        each["agentName"] = None if agent is None else agent.name
    return story, reached.further


async def _journal(log: Log, tape: int) -> JournalReader:
    return JournalReader(log, tape, (await log.head(tape)).journal)


async def _behind(installation: Installation) -> str:
    """What the read models may not know yet."""
    for row in await list_progress(installation.database.pool):
        reached = (await installation.log.head(row.tape)).reached
        if row.tape_offset < reached:
            return f" (the read models have reached tape offset {row.tape_offset} of {reached})"
    return ""


def _print(told: Iterable[Line]) -> None:
    if not sys.stdout.isatty():
        for line in told:
            print(line)
        return
    from rich.console import Console

    console = Console(markup=False, highlight=False, soft_wrap=True)
    for line in told:
        console.print(str(line), style="bold" if line.depth == 0 else None)

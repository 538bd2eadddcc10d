"""`tapefold log copy`: the installation moved to another log, offline."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from daemon.records import BrokenChain, UnreadableRecord
from ops.cli.saying import Progress
from ops.errors import StartError, UsageError
from ops.installation import read_settings, run_command, use_installation
from ops.log_choice import EMBEDDED
from ops.log_moving import APPLICATION, advice, move
from streams.log.contract import Fenced, LogUnavailable, OutcomeUnknown
from streams.log.copying import CopyFailed, OnProgress, Sums
from streams.log.kafka_address import Brokers, parse_url


def run(*, home: Path | None, source: str, target: str, replace: bool) -> None:
    """Move the log; exits 1 with one line where it could not be, and then nothing has changed."""
    from_, to = _place("--from", source), _place("--to", target)
    if from_ == to:
        raise UsageError("--to: is the log that --from names")
    from_url, to_url = _url(from_), _url(to)
    sums = run_command(_move(home, from_url, to, replace=replace))
    for tape, each in enumerate(sums):
        head = each.head
        print(
            f"tape {tape}: {head.tape + 1} inputs, {head.journal + 1} records, the same on both: {each.hash}"
        )
    print(f"this database belongs to {to_url} now: {advice(to_url)}")


async def _move(home: Path | None, from_url: str, to: Brokers | None, *, replace: bool) -> Sequence[Sums]:
    settings = read_settings(home=home, log=from_url)
    again = "the database still belongs to the old log; begin the copy again by the same command"
    async with use_installation(settings, APPLICATION, must_exist=True, alone=True) as installation:
        with ExitStack() as bars:

            def say(what: str, total: int) -> OnProgress:
                bar = Progress(what, total, "records")
                bars.callback(bar.close)
                return bar.update

            try:
                return await move(installation, to, replace=replace, say=say)
            except (BrokenChain, UnreadableRecord) as error:
                raise StartError(f"{error}; see `tapefold verify`") from error
            except (CopyFailed, Fenced, OutcomeUnknown, LogUnavailable) as error:
                raise StartError(f"{error}; {again}") from error


def _place(option: str, url: str) -> Brokers | None:
    if url == EMBEDDED:
        return None
    try:
        return parse_url(url)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _url(place: Brokers | None) -> str:
    return EMBEDDED if place is None else place.url

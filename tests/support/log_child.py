"""A process that works on a log, to be killed: `log_child.py DATABASE_URL LOG poster|trader|holder NAME`.

It says on stdout what was acknowledged, a line each, and only then: `a FIRST COUNT TEXT` for an append,
`c LAST REACHED` for a commit, `held` for a claim. It goes on through everything that the log may raise, but
ends with 3 when it is fenced.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import uvloop

from daemon.database import Database, DatabaseUnreachable
from daemon.domain.events import InputRepeated
from daemon.domain.values import InputId
from daemon.records import ChainReader, Entry, Sealed, TapeRecord, encode, seal
from streams.log.contract import Claim, ClaimHeld, Fenced, LogUnavailable, OutcomeUnknown
from streams.log.embedded import EmbeddedLog
from streams.log.kafka import KafkaLog
from streams.log.kafka_address import parse_url

PAUSE_SECONDS = 0.02
PACE_SECONDS = 0.002
FENCED = 3

AnyLog: TypeAlias = EmbeddedLog | KafkaLog


@asynccontextmanager
async def opened(url: str, log_url: str = "embedded") -> AsyncIterator[AnyLog]:
    """The log in the database at `url`, or in Kafka, as soon as both answer."""
    log: AnyLog
    while True:
        try:
            database = await Database.open(url, "tapefold test child")
            if log_url == "embedded":
                log = await EmbeddedLog.open(database)
            else:
                log = await KafkaLog.open(parse_url(log_url), database, tapes=1)
            break
        except (DatabaseUnreachable, LogUnavailable):
            await asyncio.sleep(PAUSE_SECONDS)
    try:
        yield log
    finally:
        await log.close()
        await database.close()


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


async def post(log: AnyLog, name: str) -> None:
    """Append batches for ever, each text once."""
    for number in itertools.count():
        text = f"{name.replace(' ', '-')}-{os.getpid()}-{number}"
        batch = [f"{text}-{each}".encode() for each in range(1 + number % 5)]
        try:
            first, _ = await log.append(0, batch)
        except (LogUnavailable, OutcomeUnknown):
            # Not again: so nothing may stand twice on the tape, and an unknown one may stand or not.
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        say("a", first, len(batch), text)
        # So that a tape does not grow without an end while others start.
        await asyncio.sleep(PACE_SECONDS)


class Trader:
    """The least that a trader does: one entry for each input, chained, some of them in several parts."""

    def __init__(self, log: AnyLog) -> None:
        self.log = log
        self.chain = ChainReader()
        self.journal = -1

    async def claim(self, name: str) -> Claim:
        while True:
            try:
                return await self.log.claim(0, name)
            except (ClaimHeld, LogUnavailable):
                await asyncio.sleep(PAUSE_SECONDS)

    async def catch_up(self) -> list[Entry]:
        """Read the journal on from where this one is."""
        entries: list[Entry] = []
        while True:
            try:
                page = await self.log.read_journal(0, self.journal, 500)
            except LogUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            entries += self.chain.read(page.records)
            if page.records:
                self.journal = page.records[-1].offset
            elif page.complete:
                return entries

    async def run(self, name: str) -> None:
        claim = await self.claim(name)
        await self.catch_up()
        while True:
            try:
                await self.log.wait_tape(0, self.chain.reached, 1.0)
                records = await self.log.read_tape(0, self.chain.reached, 100)
                if records:
                    last = await self.log.commit(
                        claim, self.journal, records[-1].offset, self.decide(records)
                    )
                    say("c", last, records[-1].offset)
            except LogUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)
            except OutcomeUnknown:
                claim = await self.settled(claim)
            # Reading back is what advances: from memory after a commit, from the database after a doubt.
            await self.catch_up()

    async def settled(self, claim: Claim) -> Claim:
        while True:
            try:
                return await self.log.settle(claim)
            except LogUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)

    def decide(self, records: Sequence[TapeRecord]) -> list[Sealed]:
        entries = []
        prev = self.chain.hash
        for record in records:
            # Now and then an entry that needs two records.
            size = 150_000 if record.offset % 200 == 0 else 10
            event = InputRepeated(input_id=InputId("x" * size), first_offset=record.offset, same_body=True)
            entries.append(seal(prev, record.offset, record.at, [encode(event)] * 2))
            prev = entries[-1].hash
        return entries


async def hold(log: AnyLog, name: str) -> None:
    """Claim tape 0 and keep it until the end."""
    await Trader(log).claim(name)
    say("held")
    await asyncio.Event().wait()


async def main(url: str, log_url: str, role: str, name: str) -> None:
    """Play one role for ever."""
    async with opened(url, log_url) as log:
        if role == "poster":
            await post(log, name)
        elif role == "holder":
            await hold(log, name)
        else:
            await Trader(log).run(name)


if __name__ == "__main__":
    try:
        uvloop.run(main(*sys.argv[1:]))
    except Fenced:
        sys.exit(FENCED)

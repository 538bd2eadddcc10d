"""Intake: group commit, refusal before the append, retries of an unknown outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from daemon.domain.commands import Actor, AnyCommand, ClosePosition, Input, ObservePrices, Reading, TimePassed
from daemon.domain.values import InputId, Mint, Owner, PositionId, Price
from daemon.metrics import Metrics
from streams.intake import (
    BEHIND_INPUTS_MAX,
    FEEDS,
    RETRY_SECONDS,
    WAITING_MAX,
    Intake,
    IntakeUnavailable,
    Overloaded,
)
from streams.log.contract import Appended, LogUnavailable, OutcomeUnknown
from streams.log.memory import MemoryLog
from streams.standing import Standing, TapeStanding, tape_of

MINT = Mint("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")


class GatedLog(MemoryLog):
    """A memory log whose appends wait for a gate, and fail as told."""

    def __init__(self, tapes: int = 1) -> None:
        super().__init__(lambda: 1_700_000_000_000, tapes)
        self.gate = asyncio.Event()
        self.batches: list[int] = []
        self.failures: list[Exception] = []

    async def append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        await self.gate.wait()
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, OutcomeUnknown):
                await super().append(tape, inputs)
            raise failure
        self.batches.append(len(inputs))
        return await super().append(tape, inputs)


def made(log: GatedLog) -> tuple[Intake, Standing]:
    standing = Standing([TapeStanding() for _ in range(log.tapes)])
    return Intake(log, standing, Metrics()), standing


def item(name: str, command: AnyCommand | None = None, owner: str = "operator") -> Input:
    price = ObservePrices(readings=(Reading(mint=MINT, price=Price("1"), source="test"),))
    return Input(id=InputId(name), actor=Actor(owner=Owner(owner), key="key"), command=command or price)


async def test_what_waits_goes_in_one_transaction() -> None:
    """Inputs that come while an append is under way are appended together, in their order."""
    log = GatedLog()
    intake, _ = made(log)
    puts = [asyncio.create_task(intake.put(item(str(number)))) for number in range(10)]
    await asyncio.sleep(0)
    log.gate.set()
    recorded = await asyncio.gather(*puts)
    assert [each.offset for each in recorded] == list(range(10))
    assert sum(log.batches) == 10
    assert len(log.batches) <= 2


async def test_the_thousand_and_first_is_refused_before_the_append() -> None:
    """Overload refuses with a time to come back, and nothing of the refused request is stored."""
    log = GatedLog()
    intake, _ = made(log)
    first = asyncio.create_task(intake.put(item("first")))
    await asyncio.sleep(0)
    puts = [asyncio.create_task(intake.put(item(str(number)))) for number in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as refused:
        await intake.put(item("one more"))
    assert refused.value.retry_after >= 1
    log.gate.set()
    await asyncio.gather(first, *puts)
    assert (await log.head(0)).tape == WAITING_MAX


async def test_a_trader_far_behind_refuses_writes_but_not_ways_out() -> None:
    """Signals and prices wait outside; closes and our own reminders always get in."""
    log = GatedLog()
    log.gate.set()
    intake, standing = made(log)
    standing.tapes[0].head = BEHIND_INPUTS_MAX + 1
    with pytest.raises(Overloaded):
        await intake.put(item("price"))
    await intake.put(item("close", ClosePosition(position_id=PositionId("p"))))
    await intake.put(item("time", TimePassed()))


async def test_a_halted_tape_takes_writes() -> None:
    """On a halted tape inputs are durable and wait for the operator, however many there are."""
    log = GatedLog()
    log.gate.set()
    intake, standing = made(log)
    standing.tapes[0].head = BEHIND_INPUTS_MAX + 1
    standing.halt("trader", 0, 7, "undecodable")
    await intake.put(item("price"))
    with pytest.raises(Overloaded):  # only our own feeds wait outside: their prices would be old by then
        await intake.put(item("feed", owner=FEEDS))


@pytest.mark.parametrize("failure", [OutcomeUnknown("broke"), LogUnavailable("down")])
async def test_a_broken_append_is_sent_again(failure: Exception) -> None:
    """An append of unknown outcome is repeated: ids make a second copy harmless, a loss would not be."""
    log = GatedLog()
    log.gate.set()
    log.failures = [failure]
    intake, _ = made(log)
    recorded = await intake.put(item("one"))
    assert recorded.offset == (await log.head(0)).tape


async def test_a_log_that_stays_away_is_said() -> None:
    """After the last try the waiter is told, and intake takes the next request anew."""
    log = GatedLog()
    log.gate.set()
    log.failures = [LogUnavailable("down")] * (len(RETRY_SECONDS) + 1)
    intake, _ = made(log)
    put = asyncio.create_task(intake.put(item("one")))
    with pytest.raises(IntakeUnavailable):
        await put
    assert (await intake.put(item("two"))).offset == 0


async def test_prices_stand_on_every_tape_and_owners_on_their_own() -> None:
    """An owner lives on one tape; what is for the whole installation is appended to each."""
    log = GatedLog(tapes=4)
    log.gate.set()
    intake, _ = made(log)
    everywhere = await intake.put_everywhere(item("price"))
    assert [each.tape for each in everywhere] == [0, 1, 2, 3]
    assert (await intake.put(item("one", owner="alice"))).tape == tape_of(Owner("alice"), 4)


async def test_a_closed_intake_ends_what_it_took() -> None:
    """Closing appends what was taken and refuses what comes."""
    log = GatedLog()
    intake, _ = made(log)
    taken = asyncio.create_task(intake.put(item("one")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(intake.close())
    await asyncio.sleep(0)
    log.gate.set()
    await closing
    assert (await taken).offset == 0
    with pytest.raises(IntakeUnavailable):
        await intake.put(item("two"))


async def test_an_idle_hour_is_no_backlog() -> None:
    """The age of a backlog counts from the oldest input that waits, not from the last one decided."""
    standing = TapeStanding()
    standing.grow(0)
    standing.reach(0)
    assert standing.appended.age(standing.reached) == 0
    standing.grow(1)
    assert standing.appended.age(standing.reached) < 60

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.commands import ObservePrices, Reading
from daemon.domain.ids import base58
from daemon.domain.values import Mint, parse_price
from daemon.metrics import Metrics
from daemon.records import decode_input
from streams.intake import Intake
from streams.log.memory import MemoryLog
from streams.sources.files import FileFeed, newest, parse_speed
from streams.sources.pace import Pace
from streams.sources.rows import FeedError, Row, read_rows
from streams.standing import Standing, TapeStanding

ONE, TWO = Mint(base58(b"\1" * 32)), Mint(base58(b"\2" * 32))
CANDLES = "time,mint,open,high,low,close"
TICKS = "time,mint,price"
START = 1_760_000_000_000
MINUTE = 60_000
FAR_AHEAD = 1_000_000_000


class JumpingPace(Pace):
    """Time that stands still until somebody waits for it; `events` happen when it passes their moment."""

    def __init__(self) -> None:
        self.time = 0.0
        self.events: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    async def until(self, moment: float, stop: asyncio.Event) -> bool:
        await asyncio.sleep(0)
        self.time = max(self.time, moment)
        for each in [each for each in self.events if each[0] <= self.time]:
            self.events.remove(each)
            each[1]()
        return not stop.is_set()


class World:
    """A real intake on a memory log, and a pace that jumps."""

    def __init__(self, folder: Path, tapes: int = 1) -> None:
        self.pace = JumpingPace()
        self.log = MemoryLog(lambda: START + round(self.pace.time * 1000), tapes)
        # No trader stands behind this log: let it count as far ahead, until a test says it is behind.
        self.standing = Standing([TapeStanding(reached=FAR_AHEAD) for _ in range(tapes)])
        self.intake = Intake(self.log, self.standing, Metrics())
        self.folder = folder

    def feed(self, text: str, speed: float = 60, *, loop: bool = False) -> FileFeed:
        path = self.folder / "prices.csv"
        path.write_text(text)
        return FileFeed.open(path, self.intake, speed, loop=loop, pace=self.pace)

    async def tape(self, number: int = 0) -> list[Sent]:
        found = []
        for record in await self.log.read_tape(number, -1, 10_000):
            command = decode_input(record).command
            assert isinstance(command, ObservePrices)
            found.append(Sent(record.at - START, command.readings))
        return found

    async def prices(self) -> list[tuple[int, list[str]]]:
        return [(sent.at, [str(each.price) for each in sent.readings]) for sent in await self.tape()]

    def set_backlog(self, inputs: int) -> None:
        standing = self.standing.tapes[0]
        standing.reached = standing.head - inputs if inputs else FAR_AHEAD


class Sent(NamedTuple):
    at: int
    readings: tuple[Reading, ...]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ticks(*rows: tuple[int, Mint, str]) -> str:
    return "\n".join([TICKS, *(f"{START + at},{mint},{price}" for at, mint, price in rows), ""])


def rows_of(*lines: str) -> list[Row]:
    return list(read_rows("f.csv", "file:f.csv", [f"{line}\n" for line in lines]))


def problem(*lines: str) -> str:
    with pytest.raises(FeedError) as caught:
        rows_of(*lines)
    return str(caught.value)


# --- the format ------------------------------------------------------------------------------------------


def test_a_candle_is_read_as_its_close_with_low_and_high() -> None:
    """A candle is one reading: the close is its price, low and high are kept exactly."""
    assert rows_of(CANDLES, f"2018-01-15T20:00:00Z,{ONE},5.904e-05,0.00005917,0.00005895,0.00005906") == [
        Row(
            1_516_046_400_000,
            Reading(
                mint=ONE,
                price=parse_price("0.00005906"),
                source="file:f.csv",
                low=parse_price("0.00005895"),
                high=parse_price("0.00005917"),
            ),
        )
    ]


def test_a_tick_may_state_liquidity_and_decimals() -> None:
    """Liquidity comes in SOL and is kept in lamports; an empty cell says nothing; columns may swap places."""
    rows = rows_of(
        "decimals,price,liquidity,mint,time",
        f"6,0.5,1000.5,{ONE},{START}",
        "",
        f",0.50,,{TWO},{START}",
    )
    assert [(row.reading.liquidity, row.reading.decimals) for row in rows] == [
        (1_000_500_000_000, 6),
        (None, None),
    ]
    assert rows[0].reading.price == rows[1].reading.price == Decimal("0.5")


@pytest.mark.parametrize(
    "text",
    ["2018-01-15T21:00:00+01:00", "2018-01-15 20:00:00+00:00", "2018-01-15T20:00:00.000Z", "1516046400000"],
)
def test_a_time_has_one_meaning(text: str) -> None:
    """ISO 8601 with any zone and milliseconds since 1970 name the same moment."""
    assert rows_of(TICKS, f"{text},{ONE},1")[0].time == 1_516_046_400_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"2018-01-15T20:00:00,{ONE},1", "time: must be ISO 8601 with its zone"),
        (f"yesterday,{ONE},1", "time: must be ISO 8601 with its zone"),
        (f"1516046400,{ONE},1", "time: a bare number must be milliseconds"),
        (f"{START},EPjF,1", "mint: must be a mint address"),
        (f"{START},{'1' * 44},1", "mint: must be a mint address"),
        (f"{START},So11111111111111111111111111111111111111112,1", "mint: is SOL itself"),
        (f"{START},{ONE},NaN", "price: must be a decimal number"),
        (f"{START},{ONE},-1", "price: must be a decimal number"),
        (f"{START},{ONE},1_000", "price: must be a decimal number"),
        (f"{START},{ONE},1e999999", "price: must be a decimal number"),
        (f"{START},{ONE},1e99", "price: is out of range"),
        (f"{START},{ONE},0", "price: must be from 1e-18 to 1e18"),
        (f"{START},{ONE},", "price: must be a decimal number"),
        (f"{START},{ONE}", "has 2 cells, the header names 3"),
        (f'{START},{ONE},"1', "line 2: unexpected end of data"),
    ],
)
def test_a_bad_line_is_named(line: str, said: str) -> None:
    """A line that is not in order is named with file, line, column and what would be right."""
    message = problem(TICKS, line)
    assert message.startswith("feed file f.csv, line 2: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "time,mint",
            "for ticks price is missing; found are 'time,mint', needed are time,mint,price (ticks)",
        ),
        ("time,mint,close", "for candles open, high, low are missing; found are 'time,mint,close'"),
        ("time,mint,price,volume", "unknown column 'volume'"),
        ("time,mint,price,price", "column price stands there twice"),
        ("time,mint,price,open,high,low,close", "unknown column 'open' in a file of ticks"),
        (f"{START},{ONE},1", f"the first line must name the columns; found are '{START},{ONE[:20]}"),
        ("a" * 200, f"found are '{'a' * 80}…'"),
    ],
)
def test_a_bad_header_says_what_is_expected(header: str, said: str) -> None:
    """A header that is neither of ticks nor of candles is refused with both spelled out."""
    message = problem(header)
    assert message.startswith("feed file f.csv, line 1: ")
    assert said in message
    assert "time,mint,price (ticks) or time,mint,open,high,low,close (candles)" in message


def test_candles_are_consistent() -> None:
    """A low above, or a high below, what the candle opened or closed at is refused."""
    assert "low: must not be above" in problem(CANDLES, f"{START},{ONE},1,3,2,2")
    assert "high: must not be below" in problem(CANDLES, f"{START},{ONE},1,1,1,2")


def test_liquidity_and_decimals_have_bounds() -> None:
    """Liquidity has at most 9 decimal places, decimals run from 0 to 18."""
    header = f"{TICKS},liquidity,decimals"
    assert "liquidity: has more than 9 decimal places" in problem(header, f"{START},{ONE},1,0.0000000001,9")
    assert "decimals: must be a whole number from 0 to 18" in problem(header, f"{START},{ONE},1,1,19")


def test_rows_are_sorted_by_time() -> None:
    """A row earlier than the one before is refused: a replay has one direction."""
    message = problem(TICKS, f"{START},{ONE},1", f"{START},{TWO},1", f"{START - 1},{ONE},1")
    assert message == "feed file f.csv, line 4: time: is earlier than the line before; sort the file by time"


@given(st.lists(st.text(max_size=40), max_size=5))
def test_whatever_stands_in_a_file_is_a_row_or_an_error(lines: list[str]) -> None:
    """No text in a feed file ends in anything but rows or one FeedError of one line."""
    with suppress(FeedError):
        assert all(isinstance(row, Row) for row in rows_of(TICKS, *lines))


# --- opening ---------------------------------------------------------------------------------------------


def test_a_bad_line_stops_the_start(world: World) -> None:
    """A small file is checked to its last line before anything starts."""
    with pytest.raises(FeedError, match=r"prices\.csv, line 3: price"):
        world.feed(ticks((0, ONE, "1"), (1, ONE, "x")))


@pytest.mark.parametrize("text", ["", "\n", f"{TICKS}\n"])
def test_a_file_without_a_price_stops_the_start(world: World, text: str) -> None:
    """A file that holds no price is an error, not a feed that ends at once."""
    with pytest.raises(FeedError, match=r"is empty|holds no line"):
        world.feed(text)


def test_a_file_that_cannot_be_read_stops_the_start(world: World) -> None:
    """A missing file, a folder and bytes that are no UTF-8 are one clear line each."""
    path = world.folder / "missing.csv"
    with pytest.raises(FeedError, match=r"cannot read the feed file .*missing\.csv: No such file"):
        FileFeed.open(path, world.intake, 1)
    with pytest.raises(FeedError, match="cannot read the feed file"):
        FileFeed.open(world.folder, world.intake, 1)
    path.write_bytes(b"time,mint,price\n\xff\xfe\n")
    with pytest.raises(FeedError, match="is no UTF-8"):
        FileFeed.open(path, world.intake, 1)


def test_a_speed_is_a_number_or_max() -> None:
    """A speed is from 0 to a million, where 0 and `max` mean: as fast as it goes."""
    assert (parse_speed("300"), parse_speed("0.5"), parse_speed("max"), parse_speed("0")) == (300, 0.5, 0, 0)
    for text in ("-1", "nan", "inf", "fast", ""):
        with pytest.raises(ValueError, match="must be a number from 0 to 1,000,000"):
            parse_speed(text)


# --- replaying -------------------------------------------------------------------------------------------


async def test_readings_come_at_the_chosen_speed(world: World) -> None:
    """At speed 60 a minute of the file takes a second; readings have the time of replay, not the file's."""
    feed = world.feed(ticks((0, ONE, "1"), (MINUTE, ONE, "2"), (3 * MINUTE, ONE, "3")))
    await feed.run(asyncio.Event())
    assert await world.prices() == [(0, ["1"]), (1000, ["2"]), (3000, ["3"])]
    assert {reading.observed_at for sent in await world.tape() for reading in sent.readings} == {None}


async def test_mints_of_one_time_share_an_input(world: World) -> None:
    """What the file states for one time goes onto the tape as one input, in the file's order."""
    feed = world.feed(ticks((0, TWO, "2"), (0, ONE, "1")))
    await feed.run(asyncio.Event())
    assert await world.prices() == [(0, ["2", "1"])]


async def test_the_first_change_goes_at_once_and_the_rest_gathers(world: World) -> None:
    """After a quiet time a change is sent at once; what follows within 250 ms is one input, none left out."""
    feed = world.feed(
        ticks((0, ONE, "1"), (100, ONE, "2"), (200, TWO, "3"), (200, ONE, "4"), (900, ONE, "5")), speed=1
    )
    await feed.run(asyncio.Event())
    assert await world.prices() == [(0, ["1"]), (250, ["2", "3", "4"]), (900, ["5"])]


async def test_the_source_is_the_file(world: World) -> None:
    """Readings name the file as their source, and the input names the feed as its actor."""
    await world.feed(ticks((0, ONE, "1"))).run(asyncio.Event())
    (record,) = await world.log.read_tape(0, -1, 10)
    actor = decode_input(record).actor
    assert (actor.owner, actor.key) == ("tapefold", "feed:prices.csv")
    assert (await world.tape())[0].readings[0].source == "file:prices.csv"


async def test_as_fast_as_it_goes_leaves_nothing_out(world: World) -> None:
    """At speed 0 each time of the file is one input, in order."""
    feed = world.feed(
        ticks((0, ONE, "1"), (0, TWO, "2"), (MINUTE, ONE, "3"), (9 * MINUTE, ONE, "4")), speed=0
    )
    await feed.run(asyncio.Event())
    assert await world.prices() == [(0, ["1", "2"]), (0, ["3"]), (0, ["4"])]


async def test_a_loop_begins_again(world: World) -> None:
    """A feed that loops replays the file until it is stopped."""
    feed = world.feed(ticks((0, ONE, "1"), (MINUTE, ONE, "2")), loop=True)
    stop = asyncio.Event()
    world.pace.events.append((2.2, stop.set))
    await feed.run(stop)
    sent = [price for _, prices in await world.prices() for price in prices]
    assert sent == ["1", "2", "1", "2"]


async def test_prices_go_to_every_tape(tmp_path: Path) -> None:
    """Prices are the installation's: each tape gets the same readings."""
    world = World(tmp_path, tapes=3)
    await world.feed(ticks((0, ONE, "1"))).run(asyncio.Event())
    assert [await world.tape(number) for number in range(3)] == [await world.tape()] * 3


async def test_a_feed_that_meets_429_keeps_the_newest_of_each_mint(world: World) -> None:
    """What gathers while intake refuses is one reading a mint: the newest, and no low or high is lost."""
    text = "\n".join(
        [
            CANDLES,
            f"{START},{ONE},5,5,5,5",
            f"{START + MINUTE},{ONE},5,9,4,5",
            f"{START + MINUTE},{TWO},1,1,1,1",
            f"{START + 2 * MINUTE},{ONE},5,6,2,3",
            f"{START + 3 * MINUTE},{ONE},3,4,3,4",
        ]
    )
    feed = world.feed(text)
    world.pace.events = [(0.5, lambda: world.set_backlog(100_001)), (4, lambda: world.set_backlog(0))]
    await feed.run(asyncio.Event())
    first, second = await world.tape()
    assert [str(each.price) for each in first.readings] == ["5"]
    assert [(each.mint, str(each.price), each.low, each.high) for each in second.readings] == [
        (TWO, "1", Decimal(1), Decimal(1)),
        (ONE, "4", Decimal(2), Decimal(9)),
    ]
    assert second.at == 6000


async def test_as_fast_as_it_goes_waits_for_room(world: World) -> None:
    """At speed 0 the file waits while intake refuses: every reading is still sent."""
    world.set_backlog(100_001)
    world.pace.events = [(12, lambda: world.set_backlog(0))]
    await world.feed(ticks((0, ONE, "1"), (1, ONE, "2")), speed=0).run(asyncio.Event())
    assert await world.prices() == [(15_000, ["1"]), (15_000, ["2"])]


async def test_a_stop_ends_a_feed_that_waits(tmp_path: Path) -> None:
    """A feed that waits an hour for its next line, by the real clock, ends as soon as it is told to."""
    world = World(tmp_path)
    (tmp_path / "prices.csv").write_text(ticks((0, ONE, "1"), (60 * MINUTE, ONE, "2")))
    feed = FileFeed.open(tmp_path / "prices.csv", world.intake, 1)
    stop = asyncio.Event()
    running = asyncio.create_task(feed.run(stop))
    await world.log.wait_tape(0, -1, 10)
    stop.set()
    await running
    assert [prices for _, prices in await world.prices()] == [["1"]]


async def test_a_file_that_breaks_on_the_way_ends_its_feed_alone(world: World) -> None:
    """A line that turns bad after the start ends the feed without an exception to its runner."""
    feed = world.feed(ticks((0, ONE, "1"), (MINUTE, ONE, "2")), loop=True)
    (world.folder / "prices.csv").write_text(ticks((0, ONE, "1"), (MINUTE, ONE, "x")))
    await feed.run(asyncio.Event())
    assert await world.prices() == []


async def test_intake_that_closes_ends_in_the_stop(world: World) -> None:
    """While intake shuts down a feed holds its readings, and ends by the stop that follows."""
    feed, stop = world.feed(ticks((0, ONE, "1"))), asyncio.Event()
    await world.intake.close()
    world.pace.events.append((3, stop.set))
    await feed.run(stop)
    assert await world.prices() == []


async def test_more_than_fits_one_input_goes_in_several(world: World) -> None:
    """An input holds at most 1,000 readings; more that are due go in the next, in order."""
    feed = world.feed(ticks(*((0, ONE, str(number)) for number in range(1, 2_502))))
    await feed.run(asyncio.Event())
    sent = await world.tape()
    assert [len(each.readings) for each in sent] == [1000, 1000, 501]
    assert [str(each.price) for one in sent for each in one.readings] == [str(n) for n in range(1, 2_502)]


@given(
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(1, 99), st.integers(0, 9), st.integers(0, 9)))
)
def test_merging_loses_no_extreme(drawn: list[tuple[Mint, int, int, int]]) -> None:
    """Of each mint the newest reading is kept with the lowest low and the highest high of all of them."""
    readings = [
        Reading(
            mint=mint,
            price=parse_price(str(price)),
            source="s",
            low=parse_price(str(max(1, price - less))),
            high=parse_price(str(price + more)),
        )
        for mint, price, less, more in drawn
    ]
    for kept in newest(readings):
        same = [each for each in readings if each.mint == kept.mint]
        assert kept.price == same[-1].price
        assert kept.low == min(each.low or each.price for each in same)
        assert kept.high == max(each.high or each.price for each in same)
    assert {each.mint for each in newest(readings)} == {each.mint for each in readings}

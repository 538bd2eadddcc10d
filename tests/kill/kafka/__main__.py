"""The kill suite on Kafka in its long form: `python -m tests.kill.kafka --kills 500`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import statistics
import sys
import tempfile
from pathlib import Path

from tests.kill.__main__ import line_of, say_total
from tests.kill.kafka.careless import FAULTS
from tests.kill.kafka.run import KafkaRun
from tests.kill.run import Plan, Result, describe
from tests.support.kafka.archive import prepare
from tests.support.kafka.java import KafkaMissingError
from tests.support.kafka.kit import Kit

KILLS_PER_RUN = 50


def main() -> int:
    """0: every promise held (with --control: the suite noticed); 1: not so."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill.kafka", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=500, help="how many faults at least")
    parser.add_argument("--seed", help="of what is posted and which fault follows which")
    parser.add_argument(
        "--seconds-between", type=float, nargs=2, default=(0.3, 2.5), metavar=("LEAST", "MOST"),
        help="how long the load goes on between two faults",
    )  # fmt: skip
    parser.add_argument("--control", action="store_true", help="switch checks off, and be found out")
    given = parser.parse_args()
    # What our client says of a broker that was killed is no news.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        kit = prepare()
    except KafkaMissingError as error:
        print(error, file=sys.stderr)
        return 1
    seed = given.seed or f"{random.SystemRandom().randrange(10**9)}"
    print(f"seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="tapefold-kill-kafka-"))
    return asyncio.run((_control if given.control else _runs)(given, kit, seed, folder))


async def _runs(given: argparse.Namespace, kit: Kit, seed: str, folder: Path) -> int:
    results: list[Result] = []
    stalls: list[float] = []
    while (left := given.kills - sum(each.kills for each in results)) > 0:
        number = len(results) + 1
        kills = left if left < KILLS_PER_RUN * 3 // 2 else KILLS_PER_RUN
        plan = Plan(f"{seed}-{number}", kills, folder / f"run-{number}", tuple(given.seconds_between))
        print(f"run {number}, seed {plan.seed}", flush=True)
        run = KafkaRun(plan, kit)
        result = await run.run()
        results.append(result)
        stalls += run.stalls
        print(line_of(result), flush=True)
        if result.wrong:
            print(describe(result, plan.folder))
            return 1
        run.remove()
    folder.rmdir()
    say_total(results)
    print(
        f"after a fault  all tapes caught up in {statistics.median(stalls):.2f} s (median),"
        f" {max(stalls):.2f} s at most"
    )
    return 0


async def _control(given: argparse.Namespace, kit: Kit, seed: str, folder: Path) -> int:
    """Each fault must be found; one that is not means that the suite proves nothing."""
    missed = 0
    for name, fault in FAULTS.items():
        launcher = ("tests.kill.kafka.careless", name)
        plan = Plan(f"{seed}-{name}", given.kills, folder / name, tuple(given.seconds_between), launcher)
        run = KafkaRun(plan, kit, fault.moves, hold_epochs=False)
        result = await run.run()
        found = [each for each in result.wrong if fault.shows_as in each]
        if found:
            print(f"control {name}: found after {result.kills} faults\n  {found[0]}", flush=True)
            run.remove()
        else:
            print(f"control {name}: NOT FOUND in {result.kills} faults; seed {plan.seed}", result.wrong)
            missed += 1
    if not missed:
        folder.rmdir()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The kill suite in its long form: `python -m tests.kill --kills 100`."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.kill.careless import FAULTS
from tests.kill.embedded import EmbeddedRun
from tests.kill.run import Plan, Result, describe

KILLS_PER_RUN = 25
"""Each run has a fresh home: first starts are killed too, and the log stays short enough to be read whole."""


def main() -> int:
    """0: every promise held (with --control: the suite noticed); 1: not so."""
    given = _arguments()
    seed = given.seed or f"{random.SystemRandom().randrange(10**9)}"
    print(f"seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="tapefold-kill-"))
    if given.control:
        return asyncio.run(_control(given, seed, folder))
    return asyncio.run(_runs(given, seed, folder))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=100, help="how many processes to kill at least")
    parser.add_argument("--seed", help="of what is posted and when is killed; printed by each run")
    parser.add_argument(
        "--seconds-between", type=float, nargs=2, default=(0.3, 2.5), metavar=("LEAST", "MOST"),
        help="how long the load goes on between two kills",
    )  # fmt: skip
    parser.add_argument("--control", action="store_true", help="break the promises, and be found out")
    return parser.parse_args()


async def _runs(given: argparse.Namespace, seed: str, folder: Path) -> int:
    results: list[Result] = []
    while (left := given.kills - sum(each.kills for each in results)) > 0:
        number = len(results) + 1
        kills = left if left < KILLS_PER_RUN * 3 // 2 else KILLS_PER_RUN
        plan = Plan(f"{seed}-{number}", kills, folder / f"run-{number}", tuple(given.seconds_between))
        print(f"run {number}, seed {plan.seed}", flush=True)
        run = EmbeddedRun(plan)
        result = await run.run()
        results.append(result)
        print(line_of(result), flush=True)
        if result.wrong:
            print(describe(result, plan.folder))
            return 1
        run.remove()
    folder.rmdir()
    say_total(results)
    return 0


async def _control(given: argparse.Namespace, seed: str, folder: Path) -> int:
    """Each fault must be found; one that is not means that the suite proves nothing."""
    missed = 0
    for fault, known in FAULTS.items():
        plan = Plan(
            f"{seed}-{fault}", given.kills, folder / fault, tuple(given.seconds_between),
            ("tests.kill.careless", fault),
        )  # fmt: skip
        run = EmbeddedRun(plan)
        result = await run.run()
        found = [each for each in result.wrong if known.shows_as in each]
        if found:
            print(f"control {fault}: found after {result.kills} kills\n  {found[0]}", flush=True)
            run.remove()
        else:
            print(f"control {fault}: NOT FOUND in {result.kills} kills; seed {plan.seed}", result.wrong)
            missed += 1
    if not missed:
        folder.rmdir()
    return 1 if missed else 0


def line_of(result: Result) -> str:
    return (
        f"run {result.seed}: {result.kills} kills in {result.seconds:.0f} s,"
        f" {sum(result.acknowledged.values())} acknowledged in {result.attempts} attempts,"
        f" {result.inputs} inputs, {result.copies} copies, {result.decisions} decisions,"
        f" {result.fills} fills: {'FAILED' if result.wrong else 'all promises held'}"
    )


def say_total(results: list[Result]) -> None:
    """What happened over all runs."""
    moves: Counter[str] = sum((each.moves for each in results), Counter())
    kinds: Counter[str] = sum((each.acknowledged for each in results), Counter())
    refusals: Counter[str] = sum((each.refusals for each in results), Counter())
    print(f"\nkills          {sum(each.kills for each in results)}")
    print(f"daemon lives   {sum(each.lives for each in results)}")
    print(f"moves          {_counted(moves)}")
    print(f"acknowledged   {_counted(kinds)}")
    print(f"after a retry  {sum(each.retried for each in results)}")
    print(f"no answer yet  {_counted(refusals)}")
    for name in ("inputs", "copies", "decisions", "fills"):
        print(f"{name:14} {sum(getattr(each, name) for each in results)}")
    for result in results:
        for note in result.notes:
            print(f"a start ended by itself ({result.seed}): {note}")
    print("all promises held")


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


if __name__ == "__main__":
    sys.exit(main())

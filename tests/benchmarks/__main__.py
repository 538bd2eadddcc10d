"""`python -m tests.benchmarks [NAME …]`: run these benchmarks, all by default, and print one table."""

from __future__ import annotations

import sys
import time
from typing import Final

import uvloop

from tests.benchmarks import fanout, latency, snapshot, start, stop, takeover, trader
from tests.benchmarks.figures import Benchmark, Figure, load, measured, table

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "latency": latency.run,
    "fanout": fanout.run,
    "trader": trader.run,
    "stop": stop.run,
    "start": start.run,
    "takeover": takeover.run,
    "snapshot": snapshot.run,
}


def _run(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or BENCHMARKS:
        began = time.perf_counter()
        print(f"{name} ({load()}) …", end=" ", flush=True, file=sys.stderr)
        figures += uvloop.run(measured(BENCHMARKS[name]))
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
    print(table(figures))
    print(f"\n{load()} at the end")
    return 0


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))

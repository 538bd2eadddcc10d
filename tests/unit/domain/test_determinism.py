"""Same tape, same code: the same journal, byte for byte, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import hashlib
from daemon.domain.commands import ConfigureAgent
from tests.support.examples import OTHER_MINT, STRANGER, THIRD_MINT, MINT
from tests.support.world import World

world = World()
agents = [world.agent(f"agent {n}", sol=50) for n in range(8)] + [world.agent(owner=STRANGER)]
for number, agent in enumerate(agents[:8]):
    config = {
        "stopLoss": {"enabled": True, "percent": str(5 + number % 3)},
        "fillModel": {"slippageBps": number},
        "signals": {"allowedSignalTypes": ["b", "buy", "a"]},
    }
    world.give(ConfigureAgent(agent_id=agent, config=config))
for mint in (MINT, OTHER_MINT, THIRD_MINT):
    world.signal(mint, agents=reversed(agents[:8]))
    world.price("1.1", mint, source="z")
    world.signal(mint)
    world.signal(mint, owner=STRANGER)
    world.wait(70_000)
    world.signal(mint)
    world.price("9", mint, source="a")
    world.price("1.0", mint, low="0.95")
    world.price("0.9", mint)
world.wait(-60_000)
print(len(world.journal), hashlib.sha256(b"".join(world.journal_bytes())).hexdigest())
"""


def journal_of(seed: str) -> str:
    """What a process with this hash seed decides on one tape."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_journal_does_not_depend_on_the_hash_seed() -> None:
    """Nothing iterates over a set or asks hash(): two processes with other seeds write the same bytes."""
    first, second = journal_of("1"), journal_of("4242")
    assert first == second
    assert int(first.split()[0]) > 50

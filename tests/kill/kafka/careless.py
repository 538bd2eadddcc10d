"""The negative controls on Kafka: `tapefold` with its checks switched off, to show that they are needed.

Started in place of `tapefold` as `python -m tests.kill.kafka.careless <fault> worker …`. The product has no
such switch: the parts are replaced in this process only.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from streams.log import kafka_claims, kafka_connection
from streams.log.claim_locks import ClaimLocks
from streams.log.kafka_writers import JournalWriter
from tests.kill.careless import replace
from tests.kill.choosing import Moves
from tests.kill.kafka import moves
from tests.kill.kafka.cluster import Cluster

GATHER_SECONDS: Final = 0.1


def switch_checks_off() -> None:
    """Nobody looks where records stand, or reads them back; nobody waits for the mark of an open commit."""

    async def at_the_end(_writer: Any, _tape: int, follower: Any, ends: Any) -> int:
        end: int = await ends.end(follower.partition, committed=False)
        return end

    def trust(*_: Any) -> None:
        return None

    async def believe(*_: Any) -> None:
        return None

    replace(JournalWriter, "_check_places", trust)
    replace(kafka_claims, "_close_what_hangs", at_the_end)
    replace(kafka_claims, "_read_back", believe)
    replace(ClaimLocks, "confirm", believe)


def no_fence() -> None:
    """Every claim writes under a name of its own, so that no later one fences it."""
    switch_checks_off()
    producer = kafka_connection.producer
    numbers = itertools.count()

    def unfenced(brokers: Any, transactional_id: str | None = None) -> Any:
        name = transactional_id and f"{transactional_id}-{os.getpid()}-{next(numbers)}"
        return producer(brokers, name)

    replace(kafka_connection, "producer", unfenced)


def past_a_refusal() -> None:
    """Commits of one batch a record, whatever the broker says to each of them."""
    switch_checks_off()

    async def send(self: Any, records: Sequence[tuple[bytes, bytes | None]]) -> list[Any]:
        # So that several inputs wait for the next commit.
        await asyncio.sleep(GATHER_SECONDS)
        answers = []
        for key, value in records:
            batch = self._producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
            batch.close()
            answers.append(await self._producer.send_batch(batch, self._topic, partition=self._tape))
        await asyncio.wait(answers)
        return []

    replace(JournalWriter, "_send", send)


class Fault(NamedTuple):
    """What is broken, a text of the suite's report that says so, and the faults that bring it to light."""

    commit: Callable[[], None]
    shows_as: str
    moves: Moves[Cluster]


FAULTS: Final[dict[str, Fault]] = {
    "no-fence": Fault(no_fence, "a second entry of tape offset", ((moves.long_zombie, 1),)),
    "past-a-refusal": Fault(past_a_refusal, "beyond what is reached", ((moves.refused, 1),)),
}


def main() -> None:
    """Break what is named, then be `tapefold`."""
    FAULTS[sys.argv.pop(1)].commit()
    from ops.cli import main as tapefold

    tapefold()


if __name__ == "__main__":
    main()

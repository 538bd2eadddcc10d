"""The topics at the edges. Known without importing a client."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from streams.log.kafka_address import DEFAULT_PREFIX, Brokers

Told = Literal["orders", "fills", "decisions", "positions"]
"""What the publisher tells of, a topic each."""
TOLD: tuple[Told, ...] = get_args(Told)


class EdgeTopics(NamedTuple):
    """Names of the topics beside one log: plain for the log of the default prefix, else after its own."""

    signals: str
    rejected: str
    published: dict[Told, str]
    position: str
    """Where the publisher keeps how far it is, in the transactions that publish."""
    intake_group: str


def edge_topics(brokers: Brokers) -> EdgeTopics:
    """The topics beside the log of this prefix."""
    before = "" if brokers.prefix == DEFAULT_PREFIX else f"{brokers.prefix}."
    return EdgeTopics(
        signals=f"{before}signals",
        rejected=f"{before}signals.rejected",
        published={told: f"{before}{told}" for told in TOLD},
        position=f"{brokers.prefix}.publisher",
        intake_group=f"{brokers.prefix}.intake",
    )

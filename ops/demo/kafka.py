"""The demo on Kafka: in topics of its own, which it may delete."""

from __future__ import annotations

from typing import Final

from ops.errors import StartError, UsageError
from streams.log.contract import LogUnavailable
from streams.log.kafka_address import DEFAULT_PREFIX, Brokers, parse_url

PREFIX: Final = "tapefold-demo"
"""How the names of all its topics begin: the demo deletes no others."""


def demo_topics(url: str) -> Brokers:
    """The topics that `--log` means. A URL without a prefix never means those of a real log."""
    try:
        brokers = parse_url(url)
    except ValueError as error:
        raise UsageError(f"--log: {error}") from None
    if brokers.prefix == DEFAULT_PREFIX and not url.endswith(f"/{DEFAULT_PREFIX}"):
        return brokers._replace(prefix=PREFIX)
    if not brokers.prefix.startswith(PREFIX):
        raise UsageError(
            f"--log: the demo's topics begin with {PREFIX}, so the part after the / must, or leave it out"
        )
    return brokers


async def delete_topics(brokers: Brokers) -> None:
    """Delete what an earlier demo left there. Raises `StartError`."""
    from streams.log import kafka_topics

    try:
        if await kafka_topics.exist(brokers):
            await kafka_topics.delete(brokers)
    except LogUnavailable as error:
        raise StartError(f"--log: {error}; name brokers that answer") from error

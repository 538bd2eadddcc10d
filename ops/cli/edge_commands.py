"""The commands at the edges of a log on Kafka: `tapefold intake` and `tapefold publisher`."""

from __future__ import annotations

from typing import Annotated

import typer

_Host = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", help="Address to listen on (TAPEFOLD_HOST); default 127.0.0.1."),
]
_Port = Annotated[
    str | None,
    typer.Option(
        "--port", metavar="PORT", help="Port of health and metrics (TAPEFOLD_PORT); default: a free one."
    ),
]


def intake(host: _Host = None, port: _Port = None) -> None:
    """Take signals in from the Kafka topic of signals, beside other intakes."""
    from ops.cli import process as command

    command.run("intake", host=host, port=port)


def publisher(host: _Host = None, port: _Port = None) -> None:
    """Publish orders, fills, decisions and positions to Kafka topics, for tapes that no other publishes."""
    from ops.cli import process as command

    command.run("publisher", host=host, port=port)

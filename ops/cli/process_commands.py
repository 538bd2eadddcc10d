"""The commands that run one of several processes; `ops/cli/process.py` is imported only when one does."""

from __future__ import annotations

from typing import Annotated

import typer

HostOption = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", help="Address to listen on (TAPEFOLD_HOST); default 127.0.0.1."),
]
PortOption = Annotated[
    str | None,
    typer.Option(
        "--port", metavar="PORT", help="Port of health and metrics (TAPEFOLD_PORT); default: a free one."
    ),
]
ApiPortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="PORT", help="Port to listen on (TAPEFOLD_PORT); default 4000."),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to an application."""
    for command in (worker, projector, api, intake, publisher):
        app.command()(command)


def worker(host: HostOption = None, port: PortOption = None) -> None:
    """Trade this process's share of the tapes."""
    _run("worker", host, port)


def projector(host: HostOption = None, port: PortOption = None) -> None:
    """Keep the read models of tapes nobody else keeps."""
    _run("projector", host, port)


def api(host: HostOption = None, port: ApiPortOption = None) -> None:
    """Answer the API, beside workers."""
    _run("api", host, port)


def intake(host: HostOption = None, port: PortOption = None) -> None:
    """Take signals in from a Kafka topic."""
    _run("intake", host, port)


def publisher(host: HostOption = None, port: PortOption = None) -> None:
    """Publish what was decided to Kafka topics."""
    _run("publisher", host, port)


def _run(name: str, host: str | None, port: str | None) -> None:
    from ops.cli import process

    process.run(name, host=host, port=port)

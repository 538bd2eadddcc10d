"""`tapefold demo`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ops.cli.options import PORT_MAX, whole_number
from ops.demo.kafka import demo_topics
from ops.demo.play import Options, play


def run(*, once: bool, fresh: bool, home: Path | None, port: str | None, log: str | None) -> None:
    """Run the demo until Ctrl-C, or with `once` until its story is told."""
    number = None if port is None else whole_number(port, "--port", 0, PORT_MAX)
    topics = None if log is None else demo_topics(log)
    sys.exit(asyncio.run(play(Options(once=once, fresh=fresh, home=home, port=number, topics=topics))))

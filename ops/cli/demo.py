"""`tapefold demo`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ops.demo.play import Options, play


def run(*, once: bool, home: Path | None, port: int | None) -> None:
    """Run the demo until Ctrl-C, or with `once` until its story is told."""
    sys.exit(asyncio.run(play(Options(once=once, home=home, port=port))))

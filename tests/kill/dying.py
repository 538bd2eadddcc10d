"""`tapefold` that kills itself: `python -m tests.kill.dying <module> <function> <when> up …`.

For the moments that chance finds too seldom. `when` is `before` or `after` the first call of the
function; with `at-exit` it gets a SIGTERM on its last steps.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from typing import Any


def die() -> None:
    """As kill -9 does: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies(call: Any, when: str) -> Any:
    """The function, with a death before or after it."""
    if asyncio.iscoroutinefunction(call):

        async def dying_coroutine(*arguments: Any, **more: Any) -> Any:
            if when == "before":
                die()
            await call(*arguments, **more)
            die()

        return dying_coroutine

    def dying(*arguments: Any, **more: Any) -> Any:
        if when == "before":
            die()
        call(*arguments, **more)
        die()

    return dying


class LateSignal:
    """Sends a SIGTERM when the interpreter takes its modules down: then nobody handles signals any more."""

    def __del__(self, kill: Any = os.kill, pid: int = os.getpid()) -> None:
        kill(pid, 15)


kept: list[LateSignal] = []


def arm(module: str, name: str, when: str) -> None:
    """Put a death before or after one function, or a SIGTERM at the very end of the process."""
    if when == "at-exit":
        kept.append(LateSignal())
        return
    owner = importlib.import_module(module)
    setattr(owner, name, dies(getattr(owner, name), when))


def main() -> None:
    """Arm one function, then be `tapefold`."""
    arm(*sys.argv[1:4])
    del sys.argv[1:4]
    from ops.cli import main as tapefold

    tapefold()


if __name__ == "__main__":
    main()

"""Python's cyclic garbage collector, tuned for a process with a large state that lives for months.

The state is frozen structs without cycles, freed by reference counts. With the default thresholds the
collector walks all of it again and again: one full collection over 10,000 positions stops the event loop
for a tenth of a second. So it is called less often, and what a start has folded is left out of its walks.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 50)
"""Allocations before a young collection; young before middle; middle before full."""


def tune() -> None:
    """Collect less often; called before anything is built."""
    gc.set_threshold(*THRESHOLDS)


def settle() -> None:
    """Collect what the start left behind, and leave all that lives now out of later collections."""
    gc.collect()
    gc.freeze()

"""`python -m ops.cli`."""

from __future__ import annotations

from ops.cli import main

main()

"""The `tapefold` command: one file a command, each imported only when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command line; errors that a user can cause end in one line on stderr and exit code 1."""
    from ops.cli.commands import run  # typer costs 0.1 s

    run()

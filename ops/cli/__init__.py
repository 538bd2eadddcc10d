"""The `tapefold` command: one file a command, each imported only when it is called."""

from __future__ import annotations


def main() -> None:
    """Run the command line. What a user can mend is said on stderr: exit code 2 for usage, else 1."""
    from ops.cli.commands import run  # typer costs 0.1 s

    run()

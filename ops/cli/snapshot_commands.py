"""The commands `tapefold snapshot …`."""

from __future__ import annotations

import typer

from ops.cli.everywhere import HomeOption, JsonOption

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(json: JsonOption = False, home: HomeOption = None) -> None:
    """List the snapshots, and whether a start can use them."""
    from ops.cli import snapshot as command

    command.show(home=home, as_json=json)


@app.command("make")
def make(home: HomeOption = None) -> None:
    """Make a snapshot of every tape, also beside a running daemon."""
    from ops.cli import snapshot as command

    command.make(home=home)

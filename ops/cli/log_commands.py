"""The commands of `tapefold log`, each of whose own file is imported only when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.everywhere import HomeOption, JsonOption

log_commands = typer.Typer(no_args_is_help=True)


@log_commands.command("create")
def log_create(
    tapes: Annotated[
        str, typer.Option("--tapes", metavar="T", help="Number of tapes; fixed for good.")
    ] = "1",
    home: HomeOption = None,
) -> None:
    """Make the log that TAPEFOLD_LOG names, with its tapes."""
    from ops.cli import log as command

    command.create(home=home, tapes=tapes)


@log_commands.command("show")
def log_show(json: JsonOption = False, home: HomeOption = None) -> None:
    """Show the log's tapes: their ends, epochs and who works on them."""
    from ops.cli import log as command

    command.show(home=home, as_json=json)


@log_commands.command("copy")
def log_copy(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The log until now: embedded or kafka://…")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="The log from now on: embedded or kafka://…")
    ],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Delete what an earlier move left in the embedded log."),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Move tape and journal to another engine, with everything stopped."""
    from ops.cli import log_copy as command

    command.run(home=home, source=source, target=target, replace=replace)

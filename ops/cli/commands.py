"""All commands of `tapefold`, by name; a command's own file is imported only when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="tapefold",
    help="The signal-driven trading daemon whose every figure is a fold of its journal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
keys = typer.Typer(help="Make API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")

HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Folder of all state (TAPEFOLD_HOME).")
]


@app.command()
def up(
    home: HomeOption = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="Address to listen on (TAPEFOLD_HOST).", show_default="127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="Port to listen on (TAPEFOLD_PORT); 0: a free one.", show_default="4000"),
    ] = None,
    feed: Annotated[
        list[Path] | None,
        typer.Option("--feed", metavar="FILE", help="Price file to replay; may be repeated."),
    ] = None,
    feed_speed: Annotated[
        str, typer.Option("--feed-speed", help="Seconds of the file per second; max: no pauses.")
    ] = "1",
    feed_loop: Annotated[
        bool, typer.Option("--feed-loop", help="Begin a price file again at its end.")
    ] = False,
) -> None:
    """Run everything in one process: database, trader, projector and API."""
    from ops.cli import up as command

    command.run(home=home, host=host, port=port, feeds=feed or [], speed=feed_speed, loop=feed_loop)


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="read, signals, prices, trade or admin; may be repeated.")
    ],
    owner: Annotated[
        str, typer.Option("--owner", help="Whom its agents and signals belong to.")
    ] = "operator",
    home: HomeOption = None,
) -> None:
    """Make an API key and print it: it is shown once and stored as a hash."""
    from ops.cli import keys as command

    command.create(home=home, name=name, scopes=scope, owner=owner)


@app.command()
def verify(home: HomeOption = None) -> None:
    """Walk the hash chain of the journal. Exit 0: sound; 1: broken, and where; 2: unreadable."""
    from ops.cli import verify as command

    command.run(home=home)


@app.command()
def why(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A signal, order, fill or position.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    home: HomeOption = None,
) -> None:
    """Tell the chain from signal to figure: prices, rules asked, config version, offsets."""
    from ops.cli import why as command

    command.run(home=home, id_=id_, as_json=json)


halted = typer.Typer(
    help="Show the stages that stand still, or let the trader go on.", invoke_without_command=True
)
app.add_typer(halted, name="halted")


@halted.callback()
def halted_show(context: typer.Context, home: HomeOption = None) -> None:
    """Show the stages that stand still, with offset and error."""
    context.obj = home
    if context.invoked_subcommand is None:
        from ops.cli import halted as command

        command.show(home=home)


@halted.command("drop")
def halted_drop(
    context: typer.Context,
    offset: Annotated[int, typer.Argument(min=0, help="Tape offset of the input to skip.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept in the journal.")],
    tape: Annotated[int, typer.Option("--tape", min=0, help="Tape of the input.")] = 0,
    home: HomeOption = None,
) -> None:
    """Let the trader skip the input on which it has halted."""
    from ops.cli import halted as command

    command.drop(home=home or context.obj, offset=offset, reason=reason, tape=tape)


@app.command()
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: compare every row with a fresh fold.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Fold the read models anew, with the daemon stopped."""
    from ops.cli import rebuild as command

    command.run(home=home, check=check)


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Work without a terminal, stop all that was started, and exit.")
    ] = False,
    home: HomeOption = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port of the daemon.", show_default="4000")
    ] = None,
) -> None:
    """Run the daemon on real candles, with agents that trade on signals."""
    from ops.cli import demo as command

    command.run(once=once, home=home, port=port)


def run() -> None:
    """Run the command line. What a user can mend is one line on stderr."""
    from ops.errors import StartError

    try:
        app()
    except StartError as error:
        sys.stderr.write(f"tapefold: {error}\n")
        sys.exit(1)

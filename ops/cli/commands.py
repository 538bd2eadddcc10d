"""All commands of `tapefold`, by name; a command's own file is imported only when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.cli import process_commands, snapshot_commands
from ops.cli.everywhere import HomeOption, JsonOption
from ops.cli.log_commands import log_commands

app = typer.Typer(
    name="tapefold",
    help="The signal-driven trading daemon whose every figure is a fold of its journal.",
    epilog="tapefold COMMAND --help lists a command's options.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
keys = typer.Typer(no_args_is_help=True)
app.add_typer(keys, name="keys", help="Make, list and revoke API keys.")
app.add_typer(log_commands, name="log", help="Make, show and move the log.")
app.add_typer(snapshot_commands.app, name="snapshot", help="List the snapshots to start from, or make them.")

# Numbers come as text: the parts that take them say in our own words what would be right. Arguments are
# hidden, since typer would show each with the name of its type: the help of the command tells of them.


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tapefold {version('tapefold')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """The signal-driven trading daemon whose every figure is a fold of its journal."""


@app.command()
def up(
    home: HomeOption = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="HOST", help="Address to listen on (TAPEFOLD_HOST); default 127.0.0.1."
        ),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            "--port", metavar="PORT", help="Port to listen on (TAPEFOLD_PORT); default 4000; 0: a free one."
        ),
    ] = None,
    feed: Annotated[
        list[Path] | None,
        typer.Option("--feed", metavar="FILE", help="Price file to replay; may be repeated."),
    ] = None,
    feed_speed: Annotated[
        str | None,
        typer.Option(
            "--feed-speed",
            metavar="SPEED",
            help="Seconds of the file per second; default 1; max: no pauses.",
        ),
    ] = None,
    feed_loop: Annotated[
        bool, typer.Option("--feed-loop", help="Begin a price file again at its end.")
    ] = False,
) -> None:
    """Run the daemon: database, trader, projector and API."""
    from ops.cli import up as command

    command.run(home=home, host=host, port=port, feeds=feed or [], speed=feed_speed, loop=feed_loop)


process_commands.add_to(app)


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the key is for.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="read, signals, prices, trade, or admin, which implies the others; may be repeated.",
        ),
    ],
    owner: Annotated[
        str,
        typer.Option("--owner", metavar="OWNER", help="Whom its agents and signals belong to."),
    ] = "operator",
    make_home: Annotated[
        bool, typer.Option("--create", help="Make the home if there is none yet, before its first `up`.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Make an API key and print it, this once."""
    from ops.cli import keys as command

    command.create(home=home, name=name, scopes=scope, owner=owner, make_home=make_home)


@keys.command("list")
def keys_list(json: JsonOption = False, home: HomeOption = None) -> None:
    """List all API keys, but never the keys themselves."""
    from ops.cli import keys as command

    command.show(home=home, as_json=json)


@keys.command("revoke")
def keys_revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", hidden=True)],
    home: HomeOption = None,
) -> None:
    """Revoke an API key; a running daemon refuses it at once.

    ID is the key's id, as `tapefold keys list` shows it.
    """
    from ops.cli import keys as command

    command.revoke(home=home, id_=id_)


@app.command()
def verify(home: HomeOption = None) -> None:
    """Check journal and tape. Exit 0: sound; 1: broken, and where; 2: unreadable."""
    from ops.cli import verify as command

    command.run(home=home)


@app.command()
def why(
    id_: Annotated[str, typer.Argument(metavar="ID", hidden=True)],
    json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Tell the chain from a signal to a figure.

    ID is that of a signal, an order, a fill or a position.
    """
    from ops.cli import why as command

    command.run(home=home, id_=id_, as_json=json)


halted = typer.Typer(
    help="Show what stands still, or let the trader go on.",
    invoke_without_command=True,
    subcommand_metavar="[COMMAND] [ARGS]...",
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
    offset: Annotated[str, typer.Argument(metavar="OFFSET", hidden=True)],
    reason: Annotated[str, typer.Option("--reason", metavar="WHY", help="Why; it is kept in the journal.")],
    tape: Annotated[str, typer.Option("--tape", metavar="N", help="Tape of the input.")] = "0",
    home: HomeOption = None,
) -> None:
    """Let the trader skip the input at which it has halted.

    OFFSET is the tape offset of that input, as `tapefold halted` shows it.
    """
    from ops.cli import halted as command

    command.drop(home=home or context.obj, offset=offset, reason=reason, tape=tape)


@app.command()
def rebuild(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing: compare every row with a fresh fold.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Fold the read models anew, or compare them."""
    from ops.cli import rebuild as command

    command.run(home=home, check=check)


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Work without a terminal, stop all that was started, and exit.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete what an earlier demo left, and begin anew.")
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", metavar="DIR", help="Folder of the demo's state; default: tapefold-demo, beside yours."
        ),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            "--port", metavar="PORT", help="Port of the daemon; default 4000, or a free one if it is in use."
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="URL", help="Run it on Kafka: kafka://host:port."),
    ] = None,
) -> None:
    """Run the daemon on real candles, with agents that trade."""
    from ops.cli import demo as command

    command.run(once=once, fresh=fresh, home=home, port=port, log=log)


def run() -> None:
    """Run the command line. What a user can mend is one line on stderr."""
    from ops.errors import StartError

    try:
        app()
    except StartError as error:
        sys.stderr.write(f"tapefold: {error}\n")
        sys.exit(error.exit_code)

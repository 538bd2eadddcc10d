"""What the demo says: lines where there is no terminal, a live picture where there is one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops.demo.watching import Figures, Happening, Holding, Look, signed, sol, tokens

KEPT: Final = 200
LINES_MIN: Final = 4
STYLES: Final = {"signal": "cyan", "denied": "yellow", "fill": "green", "closed": "magenta", "expired": "red"}


class Screen(Protocol):
    """Where the demo speaks."""

    def say(self, text: str) -> None:
        """One line, which stays."""

    def show(self, look: Look) -> None:
        """The figures now, and what is new."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class PlainScreen:
    """One line for each thing that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """One line, never broken: it may be a command to copy."""
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)

    def show(self, look: Look) -> None:
        """What is new."""
        for each in look.happenings:
            self.say(_line(each))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class LiveScreen(PlainScreen):
    """Agents, and below them the newest of what happened, redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._lines: deque[Happening] = deque(maxlen=KEPT)
        self._figures: Sequence[Figures] = ()
        self._live = Live(
            get_renderable=self._picture, console=console, auto_refresh=False, vertical_overflow="crop"
        )

    def show(self, look: Look) -> None:
        """Draw anew."""
        self._lines.extend(look.happenings)
        self._figures = look.figures
        self._live.refresh()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _picture(self) -> RenderableType:
        figures = agents_table(self._figures)
        used = len(self._figures) + sum(len(each.holdings) for each in self._figures) + 8
        room = max(LINES_MIN, self._console.height - used)
        lines = [
            Text(_line(each), style=STYLES[each.kind], no_wrap=True, overflow="ellipsis")
            for each in list(self._lines)[-room:]
        ]
        return Group(figures, Text(), *lines, Text("Ctrl-C stops the demo and its daemon", style="dim"))


def agents_table(figures: Sequence[Figures]) -> Table:
    """The agents with their figures, and what they hold."""
    table = Table(title="Agents (SOL)", title_justify="left", expand=False)
    table.add_column("agent")
    for head in ("fills", "balance", "open", "worth", "realized PnL"):
        table.add_column(head, justify="right")
    for each in figures:
        table.add_row(
            Text(each.name, style="bold"),
            str(each.fills),
            sol(each.sol),
            str(len(each.holdings)),
            sol(each.worth),
            _colored(signed(each.realized)),
        )
        for holding in each.holdings:
            table.add_row(*_holding(holding))
    return table


def _holding(holding: Holding) -> Sequence[RenderableType]:
    change = holding.profit_percent
    return (
        Text(f"  {tokens(holding.quantity)} {holding.symbol}", style="dim"),
        "",
        "",
        "",
        Text("no price" if holding.worth is None else sol(holding.worth), style="dim"),
        "" if change is None else _colored(f"{change:+.2f} %"),
    )


def _colored(text: str) -> Text:
    return Text(text, style="red" if text.startswith("-") else "green")


def _line(happening: Happening) -> str:
    time = happening.at[11:19]
    return f"{time}  {happening.kind:<7} {happening.text}"

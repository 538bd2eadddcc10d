"""Options that most commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Folder of all state (TAPEFOLD_HOME).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, on one line.")]

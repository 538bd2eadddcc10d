"""docs/api.md names every route and every code."""

from __future__ import annotations

import re
from pathlib import Path

from api.routes import ROUTES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "api.md").read_text()


def test_every_route_is_documented() -> None:
    """A route that is not in docs/api.md does not exist for its users."""
    missing = [
        f"{route.method} {route.path}"
        for route in ROUTES
        if f"`{route.method} {route.path.replace('{id}', ':id')}`" not in TEXT
    ]
    assert missing == []


def test_every_code_of_a_denied_command_is_documented() -> None:
    """The codes that the core denies commands with are stable, so they are written down."""
    core = "".join(path.read_text() for path in (ROOT / "daemon" / "domain").rglob("*.py"))
    codes = set(re.findall(r'(?:deny\(|code=)"([A-Z_]+)"', core))
    assert codes
    assert sorted(code for code in codes if code not in TEXT) == []

"""docs/config.md tells every field of an agent's config, its default and its bounds."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.domain.config import DEFAULT_CONFIG, AgentConfig, stored

DOCS = Path(__file__).parents[3] / "docs" / "config.md"


def test_every_field_is_documented_with_its_default() -> None:
    """The table in docs/config.md holds each key, its default and the description of the model."""
    text = DOCS.read_text()
    defaults = stored(DEFAULT_CONFIG)
    for section in AgentConfig.model_fields.values():
        name = section.alias or ""
        for field in section.annotation.model_fields.values():  # type: ignore[union-attr]
            row = next((line for line in text.splitlines() if f"`{name}.{field.alias}`" in line), "")
            default = defaults[name][field.alias]
            shown = json.dumps(default).strip('"')
            assert f"`{shown}`" in row, f"{name}.{field.alias}: default {shown} is not in {row!r}"
            assert (field.description or "?") in row.replace("\\|", "|")

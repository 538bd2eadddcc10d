"""Fixtures that need the whole daemon."""

from __future__ import annotations

from tests.support.served import admin, served

__all__ = ["admin", "served"]

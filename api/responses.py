"""Answers as bytes: JSON by msgspec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from api.errors import ApiError

_encoder: Final = msgspec.json.Encoder()


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """The body as JSON, with a line's end: it is read in terminals too."""
    return web.Response(
        body=_encoder.encode(body) + b"\n",
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8", **(headers or {})},
    )


def error_response(error: ApiError) -> web.Response:
    """An error as the API answers it."""
    return json_response(error.body(), error.status, error.headers)

"""Errors as the API answers them: `{"error": …, "code": …}` with stable codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one field."""

    field: str
    message: str


class ApiError(Exception):
    """A request that cannot be served; the message is for the caller, the code is stable."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.more = more
        self.headers = headers

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        body: dict[str, Any] = {"error": self.message, "code": self.code}
        if self.details is not None:
            body["details"] = list(self.details)
        if self.more:
            body.update(self.more)
        return body


def invalid(*details: Detail) -> ApiError:
    """400 that lists every wrong field."""
    first = details[0]
    place = f"{first.field}: " if first.field else ""
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return ApiError(400, "VALIDATION_ERROR", f"{place}{first.message}{more}", details=details)


def not_found(what: str) -> ApiError:
    """404 for an absent or foreign thing, named as in `AGENT_NOT_FOUND`."""
    return ApiError(
        404, f"{what.upper().replace(' ', '_')}_NOT_FOUND", f"{what[0].upper()}{what[1:]} not found"
    )


def live_unavailable() -> ApiError:
    """400 until there is a live venue."""
    return ApiError(
        400, "LIVE_UNAVAILABLE", 'live trading is not available yet: use tradingMode "simulation"'
    )


def unavailable(code: str, message: str, retry_after: int = 1) -> ApiError:
    """503 for what passes by itself."""
    return ApiError(503, code, message, headers={"Retry-After": str(retry_after)})


def expectation_failed() -> ApiError:
    """417 for an `Expect` that nobody understands."""
    return ApiError(417, "EXPECTATION_FAILED", "only Expect: 100-continue is understood")

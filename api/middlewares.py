"""What every request passes: one middleware that measures, and turns whatever goes wrong into an answer."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

import asyncpg
import structlog
from aiohttp import web
from prometheus_client import Histogram

from api.errors import ApiError, expectation_failed, unavailable
from api.ports import DEPS, Deps
from api.responses import error_response
from api.routing import Handler
from daemon import clock
from streams.intake import IntakeUnavailable, Overloaded

# What a database gives that is starting, stopping, gone or crowded; time mends it.
_DATABASE_GONE: Final = (
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    # asyncpg says this of a connection that Postgres has cut while a statement was being prepared on it.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
# The read models' tables while they are being made anew.
_TABLES_GONE: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedColumnError,
)

_log: Final = structlog.get_logger("api")


@web.middleware
async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as JSON with a stable code, and measure by route template."""
    started = clock.monotonic()
    deps = request.app[DEPS]
    try:
        response = await handler(request)
    except ApiError as error:
        response = error_response(error)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - the one place that answers for everything below it
        response = error_response(_answer_for(error, request, deps))
    _observe(deps.metrics.request_seconds, request, response.status, clock.monotonic() - started)
    return response


def _answer_for(error: Exception, request: web.Request, deps: Deps) -> ApiError:
    match error:
        case web.HTTPException():
            return http_error(error)
        case Overloaded():
            deps.metrics.intake_refused.labels("OVERLOADED").inc()
            return ApiError(
                429,
                "OVERLOADED",
                f"too much is waiting: {error.reason}",
                headers={"Retry-After": str(max(1, error.retry_after))},
            )
        case IntakeUnavailable():
            deps.metrics.intake_refused.labels("LOG_UNAVAILABLE").inc()
            return unavailable("LOG_UNAVAILABLE", "the log cannot be written now: send the request again")
        case asyncpg.PostgresError() if isinstance(error, _TABLES_GONE) and deps.status.is_rebuilding():
            return unavailable("REBUILDING", "the read models are being rebuilt: ask again soon", 5)
        case _ if isinstance(error, _DATABASE_GONE):
            _log.warning("database unavailable", route=_template(request), error=type(error).__name__)
            return unavailable("DATABASE_UNAVAILABLE", "the database cannot be reached now: ask again soon")
        case _:
            return internal(error, method=request.method, route=_template(request))


def internal(error: BaseException | None, **about: str) -> ApiError:
    """500 with the number under which the error was logged."""
    number = clock.random_id()
    _log.error("request failed", request_id=number, **about, exc_info=error)
    return ApiError(
        500, "INTERNAL", f"something went wrong here, logged as {number}", more={"requestId": number}
    )


def http_error(error: web.HTTPException) -> ApiError:
    """What aiohttp raises itself, with a code."""
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return ApiError(
                405, "METHOD_NOT_ALLOWED", f"this path takes {allowed}", headers={"Allow": allowed}
            )
        case web.HTTPNotFound():
            return ApiError(404, "NOT_FOUND", "there is no such route")
        case web.HTTPExpectationFailed():
            return expectation_failed()
        case _:
            status = HTTPStatus(error.status)
            return ApiError(error.status, status.name, status.phrase)


def _template(request: web.Request) -> str:
    """The route's template: few, where paths are many."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _observe(histogram: Histogram, request: web.Request, status: int, seconds: float) -> None:
    method = request.method if request.method in _METHODS else "other"
    histogram.labels(method, _template(request), f"{status // 100}xx").observe(seconds)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})

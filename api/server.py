"""The application behind a server that answers what is not valid HTTP as everything else is answered.

What aiohttp says of such a request quotes it, and with it whoever's API key: neither answer nor log may.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong

from api.errors import ApiError
from api.middlewares import http_error, internal
from api.responses import error_response

_log: Final = structlog.get_logger("api")


def make_runner(app: web.Application, **options: Any) -> web.AppRunner:
    """What serves the application; `options` are those of `web.AppRunner`."""
    return _Runner(app, **options)


def malformed(error: BaseException | None) -> ApiError:
    """The answer to what cannot be read; it holds nothing of the request."""
    match error:
        case LineTooLong():
            status, told = 431, "the request line or a header is too long: at most 8 KB are taken"
        case ContentEncodingError():
            status, told = (
                400,
                "the body's Content-Encoding is not known here: send it plain, gzip or deflate",
            )
        case _:
            status, told = 400, "the request is not valid HTTP"
    return ApiError(status, "MALFORMED_REQUEST", told)


class _Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what no handler was asked about, or none could answer. The connection is closed."""
        del message  # it quotes the request
        if status == web.HTTPBadRequest.status_code:
            answer = malformed(exc)
            _log.info("not valid HTTP", peer=request.remote, status=answer.status, error=type(exc).__name__)
        else:
            answer = internal(exc, method=request.method)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer is sent already")
        response = error_response(answer)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log what aiohttp did not expect. A body that breaks its own form is the client's matter."""
        error = kw.get("exc_info")
        if isinstance(error, (web.RequestPayloadError, HttpProcessingError)):
            _log.info("a body cannot be read as its headers announce it", error=type(error).__name__)
        else:
            super().log_exception(*args, **kw)


class _Server(web.Server):
    """Makes a protocol of ours for each connection."""

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    __slots__ = ()

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        handle = made.request_handler

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await handle(request)
            except web.HTTPException as error:  # from outside of the middlewares: an unknown Expect
                return error_response(http_error(error))

        return _Server(
            answer,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,  # noqa: SLF001 - aiohttp has no other way to another protocol
            **made._kwargs,  # noqa: SLF001
        )

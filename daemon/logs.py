"""Log lines by structlog: JSON for machines, a console for people, and no secret in either.

`configure` is called once by whoever starts a process. The standard library's loggers (asyncpg, aiohttp,
alembic) come out in the same form.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from daemon import clock

Format = Literal["json", "console"]
HIDDEN: Final = "[hidden]"

# Whole words of a key's name, so that `key_id`, `idempotency_key` and `token_address` stay readable.
_SECRET_NAME: Final = re.compile(
    r"(?:^|[_-])(?:password|passwd|secret|authorization|api_?key|x-api-key|private_?key|seed_phrase|dsn)$",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<key>tf_)[A-Za-z0-9_-]{16,}"  # an API key, wherever it stands
    r"|(?P<bearer>[Bb]earer )\S+"
    r"|(?P<url>[a-z][a-z0-9+]*://[^\s:/@]*:)[^\s@]+(?=@)"  # the password of a URL
    r"|(?P<pair>(?:password|passwd|secret)[\"']?\s*[=:]\s*)[\"']?[^\s\"',;&]+",
    re.IGNORECASE,
)


def configure(form: Format = "console", level: str = "info", stream: TextIO | None = None) -> None:
    """Send all log lines of this process to `stream` (stderr by default)."""
    out = stream if stream is not None else sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_time,
    ]
    renderer: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if form == "json"
        else [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=_plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                hide_secrets,
                *renderer,
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel("WARNING")  # its steps are no news for an operator
    # Each try to reach a broker is an error to it, ten a second; what that means to us we say ourselves.
    logging.getLogger("aiokafka").setLevel("CRITICAL")


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what is secret by its name or by its form, in values of any depth and in tracebacks."""
    return {name: HIDDEN if _is_secret(name) else _hide(value) for name, value in event.items()}


def hide(text: str) -> str:
    """The text without API keys, bearer tokens and passwords."""
    return _SECRET_TEXT.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    kept = next((part for part in match.groups() if part is not None), "")
    return f"{kept}{HIDDEN}"


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and _SECRET_NAME.search(name) is not None


def _hide(value: Any) -> Any:
    match value:
        case str():
            return hide(value)
        case None | bool() | int() | float():
            return value
        case MutableMapping():
            return {name: HIDDEN if _is_secret(name) else _hide(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hide(each) for each in value]
        case bytes():
            return hide(value.decode(errors="replace"))
        case _:
            return hide(str(value))


def _add_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    moment = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    event["time"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _plain_traceback(out: TextIO, info: Any) -> None:
    structlog.dev.plain_traceback(out, info)

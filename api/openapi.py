"""The API's description (OpenAPI 3.1), made from the routes, their pydantic bodies and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import msgspec
from pydantic.json_schema import models_json_schema

from api.errors import Detail
from api.routing import PREFIX, Route

_REF: Final = "#/components/schemas/"
_ERRORS: Final = {
    "400": "The request is malformed: `code` says how, `details` name every field",
    "401": "No valid API key",
    "403": "The key lacks the scope",
    "404": "Not found, or another owner's",
    "409": "Not possible in this state: `rule`, `limit` and `value` say why",
    "413": "The body is too large",
    "415": "The body is no JSON",
    "422": "The Idempotency-Key was used with another body",
    "429": "Too much is waiting: see Retry-After",
    "503": "Passes by itself: see Retry-After",
}
_GUARDED: Final = ("401", "403", "503")
_WRITES: Final = ("400", "409", "413", "415", "422", "429")
_DESCRIPTION: Final = (
    "Money and quantities are decimal strings, times UTC with milliseconds. A write answers when it can be "
    "read, at the latest after 2 s; every answer names `recorded`, its place on the tape: it is durable. "
    "With an `Idempotency-Key` a retry gets the first outcome; without one a retry is a new request. "
    "Of a JSON name given twice the last one counts."
)


_STYLE: Final = (
    "body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "summary{cursor:pointer;padding:.3rem 0}pre{overflow:auto;background:#f4f4f4;padding:1rem}"
)


class ErrorAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong; `code` is stable."""

    error: str
    code: str
    details: list[Detail] | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The description of these routes."""
    bodies = sorted(
        {route.body for route in routes if route.body is not None}, key=lambda body: body.__name__
    )
    answers = [route.answer for route in routes if route.answer is not None]
    _, made = models_json_schema([(body, "validation") for body in bodies], ref_template=_REF + "{model}")
    shown, components = msgspec.json.schema_components([*answers, ErrorAnswer], ref_template=_REF + "{name}")
    schemas = dict(zip(map(id, answers), shown[:-1], strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(
            route, schemas.get(id(route.answer))
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tapefold", "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {**made.get("$defs", {}), **components},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(route: Route, answer: dict[str, Any] | None) -> dict[str, Any]:
    parameters = [_parameter("id", "path", "UUID", "uuid")] if "{id}" in route.path else []
    parameters += [_parameter(name, "query", text) for name, text in route.parameters.items()]
    if route.method == "GET" and _is_list(answer):
        parameters += [
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50},
            },
            {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0, "default": 0}},
        ]
    if route.writes:
        parameters += [
            _parameter("Idempotency-Key", "header", "1 to 200 printable characters; also X-Idempotency-Key"),
            _parameter("Prefer", "header", "respond-async: answer 202 once the write is durable"),
        ]
    operation: dict[str, Any] = {
        "operationId": route.handler.__module__.rpartition(".")[2]
        + "_"
        + getattr(route.handler, "__name__", ""),
        "summary": route.summary,
        "tags": [route.path.split("/")[1]],
        "parameters": parameters,
        "responses": _responses(route, answer),
    }
    if route.scope is not None:
        operation["security"] = [{"key": []}, {"bearer": []}]
        operation["description"] = f"Scope: `{route.scope}`"
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body.__name__ != "Nothing",
            "content": {"application/json": {"schema": {"$ref": _REF + route.body.__name__}}},
        }
    return operation


def _responses(route: Route, answer: dict[str, Any] | None) -> dict[str, Any]:
    kind = "application/json" if answer is not None or route.writes else "text/plain"
    content: dict[str, Any] = {"schema": answer} if answer is not None else {}
    responses: dict[str, Any] = {
        str(route.status): {"description": route.summary, "content": {kind: content}}
    }
    if route.writes and route.status != 202:  # noqa: PLR2004 - accepted
        responses["202"] = {
            "description": "Durable, its outcome not known yet",
            "content": {"application/json": {"schema": {"$ref": _REF + "RecordedAnswer"}}},
        }
    codes = [*(_GUARDED if route.scope is not None else ()), *(_WRITES if route.writes else ())]
    if "{id}" in route.path:
        codes += ["400", "404"]
    for code in sorted(set(codes)):
        responses[code] = {
            "description": _ERRORS[code],
            "content": {"application/json": {"schema": {"$ref": _REF + "ErrorAnswer"}}},
        }
    return responses


def _parameter(name: str, place: str, text: str, text_format: str | None = None) -> dict[str, Any]:
    schema = {"type": "string", **({"format": text_format} if text_format else {})}
    return {
        "name": name,
        "in": place,
        "required": place == "path" or text.endswith("required"),
        "description": text,
        "schema": schema,
    }


def _is_list(answer: dict[str, Any] | None) -> bool:
    return answer is not None and answer.get("type") == "array"


def page(described: dict[str, Any]) -> str:
    """The description as one page of HTML that loads nothing."""
    rows = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            detail = msgspec.json.format(msgspec.json.encode(operation), indent=2).decode()
            rows.append(
                f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
                f"{escape(operation['summary'])}</summary><pre>{escape(detail)}</pre></details>"
            )
    for name, schema in described["components"]["schemas"].items():
        detail = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
        rows.append(
            f"<details><summary><code>{escape(name)}</code></summary><pre>{escape(detail)}</pre></details>"
        )
    info = described["info"]
    title = f"{escape(info['title'])} API"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])}</p><p><a href=openapi.json>openapi.json</a></p>"
        f"{''.join(rows)}</html>\n"
    )

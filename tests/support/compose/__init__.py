"""The Compose specification's schema, and the part of JSON Schema that it needs.

`compose_spec.json` is the schema of https://github.com/compose-spec/compose-spec (Apache-2.0), unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("compose_spec.json")

_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def faults(document: Any) -> list[str]:
    """What the schema forbids in a Compose file."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return list(_faults(schema, schema, document, "compose"))


def _faults(root: Any, schema: Any, value: Any, where: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = _resolve(root, schema["$ref"])
    wanted = schema.get("type")
    if wanted is not None and not any(
        _is(value, each) for each in ([wanted] if isinstance(wanted, str) else wanted)
    ):
        yield f"{where}: {value!r} is no {wanted}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} is not like {schema['pattern']}"
    if "oneOf" in schema:
        tried = [list(_faults(root, each, value, where)) for each in schema["oneOf"]]
        if sum(not each for each in tried) != 1:
            yield f"{where}: {value!r} is not one of the forms: {tried}"
    for each in schema.get("allOf", ()):
        yield from _faults(root, each, value, where)
    if isinstance(value, dict):
        yield from _in_object(root, schema, value, where)
    if isinstance(value, list):
        if schema.get("uniqueItems") and any(each in value[:at] for at, each in enumerate(value)):
            yield f"{where}: {value!r} holds something twice"
        for at, each in enumerate(value):
            yield from _faults(root, schema.get("items", {}), each, f"{where}[{at}]")


def _in_object(root: Any, schema: Any, value: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from (f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    for name, each in value.items():
        known = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        known += [
            found for like, found in schema.get("patternProperties", {}).items() if re.search(like, name)
        ]
        rest = schema.get("additionalProperties", True)
        if not known and rest is False:
            yield f"{where}: {name} is unknown"
        if not known and isinstance(rest, dict):
            known = [rest]
        for found in known:
            yield from _faults(root, found, each, f"{where}.{name}")


def _is(value: Any, kind: str) -> bool:
    # In JSON true is no number.
    return isinstance(value, _TYPES[kind]) and not (kind in {"integer", "number"} and isinstance(value, bool))


def _resolve(root: Any, name: str) -> Any:
    found = root
    for part in name.removeprefix("#/").split("/"):
        found = found[part]
    return found

"""The base of all bodies, and how one is read from a request's bytes."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from api.bodies.messages import message_of
from api.errors import ApiError, Detail, invalid

DETAILS_MAX: Final = 100
"""Most wrong fields that one answer lists."""
FIELD_LENGTH_MAX: Final = 200
_PLACE: Final = re.compile(r" at (line \d+) (column \d+)$")


class Body(BaseModel):
    """Unknown fields are refused, nothing is converted. Of a name given twice the last one counts."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, validate_by_name=False
    )


class Nothing(Body):
    """A request that says it all by its path: no body, or `{}`."""


def field_error(field: str, message: str) -> PydanticCustomError:
    """To be raised by a check of a whole body, for the field that is to be blamed."""
    return PydanticCustomError("field_error", "{message}", {"field": field, "message": message})


AnyBody = TypeVar("AnyBody", bound=BaseModel)


def parse(model: type[AnyBody], data: bytes, inside: str = "") -> AnyBody:
    """The body that these bytes hold; raises `ApiError` naming every wrong field, below `inside`."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _refusal(error, model, data, inside) from None
    except ArithmeticError:
        # A number so far out that even refusing it overflowed; which one it was is lost.
        raise invalid(Detail(inside, "holds a number that is out of range")) from None


def canonical(body: BaseModel) -> dict[str, Any]:
    """What the client sent, in one form and with no default filled in: what an idempotency key binds."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _refusal(error: ValidationError, model: type[BaseModel], data: bytes, inside: str) -> ApiError:
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid":
        return ApiError(400, "MALFORMED_JSON", _malformed(found[0]["msg"], data))
    return invalid(*(_detail(each, model, inside) for each in found[:DETAILS_MAX]))


def _malformed(said: str, data: bytes) -> str:
    if not data.strip():
        return "the body is empty: send a JSON object"
    place = _PLACE.search(said)
    if place is None:
        return "the body is not valid JSON"
    ends = " and ends too early" if "EOF" in said else ""
    return f"the body is not valid JSON{ends}: see {place[1]}, {place[2]}"


def _detail(found: ErrorDetails, model: type[BaseModel], inside: str) -> Detail:
    parts = [inside] if inside else []
    parts += [str(part) for part in found["loc"]]
    if found["type"] == "field_error":
        parts.append(str(found["ctx"]["field"]))
        message = str(found["ctx"]["message"])
    else:
        message = message_of(found, model)
    return Detail(".".join(parts)[:FIELD_LENGTH_MAX], message)

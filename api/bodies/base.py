"""The base of all bodies, and how one is read from a request's bytes."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from api.errors import ApiError, Detail, invalid

DETAILS_MAX: Final = 100
"""Most wrong fields that one answer lists."""
FIELD_LENGTH_MAX: Final = 200
_MODEL_TYPES: Final = frozenset({"model_type", "model_attributes_type", "dataclass_type"})


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
        raise _refusal(error, inside) from None
    except ArithmeticError:
        # A number so far out that even refusing it overflowed; which one it was is lost.
        raise invalid(Detail(inside, "holds a number that is out of range")) from None


def canonical(body: BaseModel) -> dict[str, Any]:
    """What the client sent, in one form and with no default filled in: what an idempotency key binds."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _refusal(error: ValidationError, inside: str) -> ApiError:
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        message = found[0]["msg"].removeprefix("Invalid JSON: ")
        return ApiError(400, "MALFORMED_JSON", f"the body is no valid JSON: {message}")
    return invalid(*(_detail(each, inside) for each in found[:DETAILS_MAX]))


def _detail(found: ErrorDetails, inside: str) -> Detail:
    parts = [inside] if inside else []
    parts += [str(part) for part in found["loc"]]
    match found["type"]:
        case "extra_forbidden":
            message = "is not a field that is known here"
        case "missing":
            message = "is required"
        case "field_error":
            context = found["ctx"]
            parts.append(str(context["field"]))
            message = str(context["message"])
        case "value_error":
            message = found["msg"].removeprefix("Value error, ")
        case kind if kind in _MODEL_TYPES:
            message = "must be an object"
        case _:
            message = found["msg"].replace("Input should be", "must be").replace("Input should", "must")
    return Detail(".".join(parts)[:FIELD_LENGTH_MAX], message)

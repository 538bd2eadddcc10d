"""What is read from a request: its body's bytes, ids, paging, filters, idempotency key and preference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from api.bodies.types import MINT_WANTED, UUID_WANTED, canonical_uuid, is_mint
from api.errors import ApiError, Detail, invalid
from api.times import parse_moment

BODY_BYTES_MAX: Final = 64 * 1024
PRICES_BODY_BYTES_MAX: Final = 200 * 1024
LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 1_000
OFFSET_MAX: Final = 10**12
KEY_LENGTH_MAX: Final = 200
NAME_LENGTH_MAX: Final = 200


class Page(NamedTuple):
    """Which part of a list."""

    limit: int
    offset: int


async def read_body(request: web.Request, most: int = BODY_BYTES_MAX) -> bytes:
    """The body's bytes; raises 413 beyond `most` and 415 for what does not call itself JSON."""
    length = request.content_length
    if length is not None and length > most:
        raise too_large(most)
    try:
        data = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large(most) from None
    except web.RequestPayloadError:
        raise ApiError(400, "MALFORMED_BODY", "the body cannot be read as its headers announce it") from None
    if len(data) > most:
        raise too_large(most)
    if data and not _is_json(request):
        raise ApiError(
            415, "UNSUPPORTED_MEDIA_TYPE", "send the body as JSON, with Content-Type: application/json"
        )
    return data


def too_large(most: int) -> ApiError:
    """413 naming the limit."""
    return ApiError(413, "BODY_TOO_LARGE", f"the body is too large: at most {most // 1024} KB are taken")


def path_id(request: web.Request) -> str:
    """The id in the path, in lower case."""
    found = canonical_uuid(request.match_info["id"])
    if found is None:
        raise ApiError(
            400, "INVALID_ID", f"the id in the path {UUID_WANTED}", details=[Detail("id", UUID_WANTED)]
        )
    return found


def idempotency_key(request: web.Request) -> str | None:
    """The key in `Idempotency-Key` or `X-Idempotency-Key`; both may stand there if they agree."""
    found = {
        value
        for name in ("Idempotency-Key", "X-Idempotency-Key")
        for value in request.headers.getall(name, ())
    }
    if not found:
        return None
    key = found.pop()
    if found or not is_idempotency_key(key):
        raise invalid_idempotency_key()
    return key


def is_idempotency_key(text: str) -> bool:
    """Whether a text may be an idempotency key."""
    return 1 <= len(text) <= KEY_LENGTH_MAX and text.isprintable()


def invalid_idempotency_key() -> ApiError:
    """400 that says what an idempotency key is."""
    return ApiError(
        400,
        "INVALID_IDEMPOTENCY_KEY",
        f"Idempotency-Key must be given once, as 1 to {KEY_LENGTH_MAX} printable characters",
    )


def wants_no_wait(request: web.Request) -> bool:
    """Whether `Prefer: respond-async` is among the preferences."""
    prefer = request.headers.getall("Prefer", ())
    return any(
        part.split(";")[0].strip().lower() == "respond-async" for line in prefer for part in line.split(",")
    )


def page(request: web.Request) -> Page:
    """`limit` and `offset`."""
    query = request.query
    if not query:
        return Page(LIMIT_DEFAULT, 0)
    return Page(
        _whole(query.get("limit"), "limit", LIMIT_DEFAULT, 1, LIMIT_MAX),
        _whole(query.get("offset"), "offset", 0, 0, OFFSET_MAX),
    )


Check = Callable[[str], Any]


def filters(request: web.Request, known: Mapping[str, tuple[str, Check]]) -> dict[str, Any]:
    """The filters that are given, by the query's name for each; every wrong or unknown parameter is named."""
    query = request.query
    if not query:
        return {}
    found: dict[str, Any] = {}
    wrong: list[Detail] = []
    try:
        page(request)
    except ApiError as error:
        wrong += error.details or ()
    for name in dict.fromkeys(query):
        if name in {"limit", "offset"}:
            continue
        if name not in known:
            names = ", ".join([*known, "limit", "offset"])
            wrong.append(Detail(_shown(name), f"is not a parameter that is known here: there are {names}"))
            continue
        column, check = known[name]
        try:
            found[column] = check(query[name])
        except ValueError as error:
            wrong.append(Detail(name, str(error)))
    if wrong:
        raise invalid(*wrong)
    return found


def uuid_text(value: str) -> str:
    """A UUID in lower case."""
    found = canonical_uuid(value)
    if found is None:
        raise ValueError(UUID_WANTED)
    return found


def mint_text(value: str) -> str:
    """A mint's address."""
    if not is_mint(value):
        raise ValueError(MINT_WANTED)
    return value


def short_text(value: str) -> str:
    """Text that is compared exactly."""
    if not 1 <= len(value) <= NAME_LENGTH_MAX or not value.isprintable():
        raise ValueError(f"must be 1 to {NAME_LENGTH_MAX} printable characters")
    return value


def flag(value: str) -> bool:
    """`true` or `false`."""
    if value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value == "true"


def moment(value: str) -> int:
    """A time; a plus that came as a space is put right."""
    return parse_moment(value.replace(" ", "+") if value.count(" ") == 1 and "T" in value.upper() else value)


def one_of(*values: str) -> Check:
    """One of these texts."""

    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return value

    return check


def _whole(text: str | None, name: str, default: int, least: int, most: int) -> int:
    if text is None:
        return default
    # int() alone would also read "+5", " 5", "5_0" and digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise invalid(Detail(name, f"must be a whole number from {least} to {most}"))
    return int(text)


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:NAME_LENGTH_MAX])


def _is_json(request: web.Request) -> bool:
    if "Content-Type" not in request.headers:
        return True
    kind = request.content_type
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))

"""Which key came with a request, and whether it may do what is asked."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api.errors import ApiError
from api.identity.keys import KeyRing, Principal, Scope, is_key

PRINCIPAL: Final = web.RequestKey("principal", Principal)
_BEARER: Final = "bearer "


def presented(request: web.Request) -> str | None:
    """The key in `X-API-Key`, else in `Authorization: Bearer`."""
    key = request.headers.get("X-API-Key")
    if key is not None and is_key(key.strip()):
        return key.strip()
    authorization = request.headers.get("Authorization", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return key


async def admit(request: web.Request, keys: KeyRing, scope: Scope) -> Principal:
    """Who asks; raises 401 without a valid key, 403 where its scopes do not allow this."""
    text = presented(request)
    if text is None:
        raise _unauthorized("an API key is required: send it as X-API-Key or as Authorization: Bearer")
    principal = await keys.find(text) if is_key(text) else None
    if principal is None:
        raise _unauthorized("this API key is not known, or it was revoked")
    if not principal.may(scope):
        raise ApiError(403, "FORBIDDEN", f"this API key lacks the scope {scope}", more={"scope": scope})
    request[PRINCIPAL] = principal
    return principal


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, "UNAUTHORIZED", message, headers={"WWW-Authenticate": 'Bearer realm="tapefold"'})

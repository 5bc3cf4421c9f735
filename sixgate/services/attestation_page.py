"""``POST /v1/attestation``: serves a signer's evidence at its monitor port.

The body is ``{"nonce": "0x…"}``. Anybody who reaches the port may ask; the service limits the rate.
"""

import asyncio
from http import HTTPStatus

import orjson
from aiohttp import web

from schemas.strict_json import JsonError, read_json
from sixgate.api_error import ApiError
from sixgate.attesting.evidence_service import PATH, PAUSE_MS_MIN, EvidenceService

PROBLEM = "application/problem+json"
STATUS = {
    "request_malformed": HTTPStatus.BAD_REQUEST,
    "nonce_malformed": HTTPStatus.BAD_REQUEST,
    "attestation_busy": HTTPStatus.TOO_MANY_REQUESTS,
    "attestation_failed": HTTPStatus.SERVICE_UNAVAILABLE,
}


def attestation_page(service: EvidenceService) -> web.RouteDef:
    """Return the page; refusals are problem details (RFC 9457)."""

    async def answer(request: web.Request) -> web.Response:
        try:
            nonce = _nonce_in(await _body_in(request))
            found = await asyncio.to_thread(service.attestation, nonce)
        except ApiError as error:
            return _problem(error)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return web.post(PATH, answer)


async def _body_in(request: web.Request) -> bytes:
    """Read a request's body; raise an HTTP error if the connection was cut."""
    try:
        return await request.read()
    except (ConnectionError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest from error


def _nonce_in(body: bytes) -> str:
    try:
        match read_json(body):
            case {"nonce": str(nonce), **others} if not others:
                return nonce
    except JsonError:
        pass  # as any other body
    raise ApiError("request_malformed", 'the body must be {"nonce": "0x…"} and nothing else')


def _problem(error: ApiError) -> web.Response:
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    problem = {"type": "about:blank", "status": status, "code": error.code, "detail": str(error)}
    is_busy = error.code == "attestation_busy"
    headers = {"Retry-After": str(-(-PAUSE_MS_MIN // 1000))} if is_busy else {}
    body = orjson.dumps(problem | {"title": status.phrase})
    return web.Response(body=body, status=status, content_type=PROBLEM, headers=headers)

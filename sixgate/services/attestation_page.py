"""``POST /v1/attestation``: serves a signer's evidence at its monitor port, and fetches it there.

The body is ``{"nonce": "0x…"}``. Anybody who reaches the port may ask; the service limits the rate.
"""

import asyncio
import re
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

import orjson
from aiohttp import web

from sixgate.api_error import ApiError, Json
from sixgate.attesting.evidence_service import PAUSE_MS_MIN, EvidenceService
from sixgate.services.http_framing import body_of
from sixgate.services.probe import Address

PATH = "/v1/attestation"
PROBLEM = "application/problem+json"
ANSWER_BYTES_MAX = 1024 * 1024
ANSWER_S_MAX = 30.0
STATUS = {
    "request_malformed": HTTPStatus.BAD_REQUEST,
    "nonce_malformed": HTTPStatus.BAD_REQUEST,
    "attestation_busy": HTTPStatus.TOO_MANY_REQUESTS,
    "attestation_failed": HTTPStatus.SERVICE_UNAVAILABLE,
}
_CODE = re.compile(r"[a-z_]{1,40}", re.ASCII)


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


def fetch(at: Address, nonce: str) -> Json:
    """Fetch evidence from the signer at an address; raise ``ApiError``, also for its refusals."""
    connection = HTTPConnection(at.host, at.port, timeout=ANSWER_S_MAX)
    try:
        connection.request("POST", PATH, orjson.dumps({"nonce": nonce}))
        answer = connection.getresponse()
        status, body = answer.status, body_of(answer, ANSWER_BYTES_MAX)
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise ApiError("connection_lost", f"{at} did not answer ({why})") from None
    finally:
        connection.close()
    if status == HTTPStatus.NOT_FOUND:
        why = f"{at} is not an attested signer: name another URL, or give the signer [attestation]"
        raise ApiError("not_attested", why)
    found = _object(body, at)
    if status != HTTPStatus.OK:
        raise _refusal(found, at)
    return found


async def _body_in(request: web.Request) -> bytes:
    """Read a request's body; raise an HTTP error if the connection was cut."""
    try:
        return await request.read()
    except (ConnectionError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest from error


def _nonce_in(body: bytes) -> str:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        request = None
    match request:
        case {"nonce": str(nonce)} if len(request) == 1:
            return nonce
    raise ApiError("request_malformed", 'the body must be {"nonce": "0x…"} and nothing else')


def _problem(error: ApiError) -> web.Response:
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    problem = {"type": "about:blank", "status": status, "code": error.code, "detail": str(error)}
    headers = {}
    if error.code == "attestation_busy":
        headers["Retry-After"] = str(-(-PAUSE_MS_MIN // 1000))
    body = orjson.dumps(problem | {"title": status.phrase})
    return web.Response(body=body, status=status, content_type=PROBLEM, headers=headers)


def _object(body: bytes, at: Address) -> Json:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ApiError("not_attested", f"{at} is not a signer: name another URL")
    return found


def _refusal(problem: Json, at: Address) -> ApiError:
    """Return a signer's refusal as an error. The sender is unauthenticated: check its fields."""
    code, detail = problem.get("code"), problem.get("detail")
    if isinstance(code, str) and _CODE.fullmatch(code) and isinstance(detail, str):
        return ApiError(code, detail[:500])
    return ApiError("not_attested", f"{at} is not a signer: name another URL")

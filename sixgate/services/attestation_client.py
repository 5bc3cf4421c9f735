"""Fetches a signer's evidence from its monitor port, for a customer's nonce."""

import re
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

import orjson

from sixgate.api_error import ApiError, Json
from sixgate.attesting.evidence_service import PATH
from sixgate.services.http_framing import body_of
from sixgate.services.probe import Address

ANSWER_BYTES_MAX = 1024 * 1024
ANSWER_S_MAX = 30.0
_CODE = re.compile(r"[a-z_]{1,40}", re.ASCII)


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

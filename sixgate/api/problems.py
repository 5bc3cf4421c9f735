"""Errors of the HTTP API as problem details (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
# The internal errors that a caller can cause or wait out. Any other code is 503: the node may halt.
_STATUS_OF_CODE = {
    "registry_refused": 409,
    "key_refused": 409,
    "vault_refused": 409,
    "read_refused": 400,
    "request_malformed": 400,
    "nonce_malformed": 400,
    "head_malformed": 400,
    "position_unknown": 400,
    "sql_refused": 400,
    "access_refused": 403,
    "desk_absent": 403,
    "intent_unknown": 404,
    "secret_unknown": 404,
    "not_attested": 404,
    "ledger_empty": 404,
    "attestation_busy": 429,
    "disk_low": 503,
    "internal": 500,
}


class Problem(Exception):  # noqa: N818 - the RFC's term
    """The answer to a request that cannot be served.

    ``detail`` is one sentence with the reason and the numbers: clients show nothing else. ``code``
    is stable. ``fields`` names each wrong field of the request. ``type`` is ``about:blank``, or one
    of the two bare words that the documented API defines. ``extra`` are further members.
    """

    def __init__(  # noqa: PLR0913 - the members of the format
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fields: Mapping[str, str] | None = None,
        type_: str = "about:blank",
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = dict(fields or {})
        self.type = type_
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def body(self) -> dict[str, Any]:
        """Return the members of the JSON body."""
        members = {
            "type": self.type,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return self.extra | members | ({"fields": self.fields} if self.fields else {})


def status_of_code(code: str) -> int:
    """Return the HTTP status of an internal error."""
    return _STATUS_OF_CODE.get(code, 503)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problem statuses of a route for its OpenAPI description."""
    schema = {"type": "object"}
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase} (problem details)",
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def invalid(fields: Mapping[str, str]) -> Problem:
    """Return the 400 that names each wrong field and why."""
    sentence = "; ".join(f"{name}: {why}" for name, why in fields.items())
    return Problem(400, "validation", f"The request is invalid: {sentence}.", fields=fields)


def not_found(what: str, name: str) -> Problem:
    """Return the 404 for a resource that does not exist or that the caller may not see."""
    return Problem(404, "not_found", f"There is no {what} {name[:256]!a}.")


def forbidden(code: str, detail: str) -> Problem:
    """Return a 403."""
    return Problem(403, code, detail)

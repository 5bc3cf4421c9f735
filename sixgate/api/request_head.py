"""Checks of a request's head beyond those of the parser, which refuses malformed lines and lengths.

A head that two servers could read differently is refused, because a proxy before this server might
take a part of its body for another request (request smuggling).
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

from sixgate.api.refusal import Refusal

HEADER_COUNT_MAX = 100
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# A second one would count for some servers, and the first one for others.
SINGLE = frozenset(
    {b"host", b"authorization", b"content-type", b"content-length", b"transfer-encoding",
     b"idempotency-key", b"x-client-share", b"x-auth-confirm"}
)  # fmt: skip
_HOST = re.compile(rb"([A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?")


def _malformed(detail: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "request_malformed", detail)


MALFORMED = _malformed("The request is not valid HTTP/1.1.")
TRAILERS = _malformed("The request has fields after its body (trailers): send them as headers.")
NOT_FRAMED = _malformed("The chunks of the body are too small for their lines.")
PIPELINED = _malformed("Too many requests were sent before the first reply.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head_too_large",
    "The request line and headers are too large, or there are too many.",
)
HEAD_LATE = Refusal(
    HTTPStatus.REQUEST_TIMEOUT,
    "request_timeout",
    "The headers of the request did not come in time.",
)
BODY_LATE = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The body of the request did not come in time."
)


def head_refusal(
    method: str, version: str, headers: Sequence[tuple[bytes, bytes]], *, upgrades: bool
) -> Refusal | None:
    """Return why a request is refused, or None. Names of headers are in lower case."""
    if version not in ("1.0", "1.1"):
        detail = f"HTTP version {version} is not supported: use HTTP/1.1."
        return Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "http_version_unknown", detail)
    if method not in METHODS:
        detail = f"The method {method} is not supported."
        return Refusal(HTTPStatus.NOT_IMPLEMENTED, "method_unknown", detail)
    if len(headers) > HEADER_COUNT_MAX:
        return HEAD_TOO_LARGE
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in SINGLE:
            if name in found:
                return _malformed(f"The request has two headers {name.decode()}.")
            found[name] = value
    return _framing_refusal(version, found, upgrades=upgrades) or _host_refusal(version, found)


def _framing_refusal(version: str, found: dict[bytes, bytes], *, upgrades: bool) -> Refusal | None:
    coding = found.get(b"transfer-encoding")
    if coding is not None and (version == "1.0" or coding.strip().lower() != b"chunked"):
        return _malformed("The only supported transfer-encoding is chunked, with HTTP/1.1.")
    has_body = coding is not None or found.get(b"content-length", b"0").strip() != b"0"
    if upgrades and has_body:  # the parser would take the body for the next request
        return _malformed("A request with a body cannot ask for another protocol: omit upgrade.")
    return None


def _host_refusal(version: str, found: dict[bytes, bytes]) -> Refusal | None:
    host = found.get(b"host")
    if host is None:
        return None if version == "1.0" else _malformed("The request has no header host.")
    if _HOST.fullmatch(host.strip()):
        return None
    return _malformed("The header host is not a host name with an optional port.")

"""Refusals of the HTTP server itself, as problem details (RFC 9457), and the security headers."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, TypeAlias

import orjson

from sixgate.api.problems import MEDIA_TYPE, Problem

Headers: TypeAlias = list[tuple[bytes, bytes]]
_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
]
_ALWAYS_NAMES = frozenset(name for name, _ in _ALWAYS)
_TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")
_POLICY = b"content-security-policy"
_NOTHING = b"default-src 'none'; frame-ancestors 'none'"
_PAGE = b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


class Refusal(NamedTuple):
    """Why a request is not served; ``detail`` is one sentence, ``code`` is stable."""

    status: HTTPStatus
    code: str
    detail: str
    retry_after_s: int | None = None
    closes: bool = False

    def body(self) -> bytes:
        """Return the problem document."""
        return orjson.dumps(Problem(self.status, self.code, self.detail).body())

    def headers(self, body: bytes) -> Headers:
        """Return the headers of the reply, without the security headers."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % self.retry_after_s))
        if self.closes:
            headers.append((b"connection", b"close"))
        return headers

    def reply(self, *, tls: bool) -> bytes:
        """Return the whole reply of a connection that closes, for use below ASGI."""
        body = self.body()
        lines = [b"HTTP/1.1 %d %s" % (self.status.value, self.status.phrase.encode())]
        headers = secured(self._replace(closes=True).headers(body), tls=tls)
        lines += [name + b": " + value for name, value in headers]
        return b"\r\n".join([*lines, b"", body])


def secured(headers: Iterable[tuple[bytes, bytes]], *, tls: bool) -> Headers:
    """Return a reply's headers with the security headers.

    An application may set a content security policy of its own, for a page.
    """
    kept, has_policy, is_page = [], False, False
    for name, value in headers:
        lower = name.lower()
        if lower in _ALWAYS_NAMES:
            continue
        kept.append((lower, value))
        has_policy = has_policy or lower == _POLICY
        is_page = is_page or (lower == b"content-type" and value.startswith(b"text/html"))
    kept += _ALWAYS
    if not has_policy:
        kept.append((_POLICY, _PAGE if is_page else _NOTHING))
    if tls:
        kept.append(_TLS_ONLY)
    return kept

"""Limits of the HTTP API: the ASGI middleware that enforces them.

``connection.py`` enforces the limits of a connection, before a request is complete.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any

from sixgate.api.anonymity import Anonymity, AnonymousRequests
from sixgate.api.client_address import LOCAL_SOCKET, SCOPE_MEMBER, client_ip, rate_key
from sixgate.api.exchange import App, Exchange, Receive, Scope, Send, body_too_large
from sixgate.api.problems import Problem
from sixgate.api.rate_limit import RateLimit, retry_after_s
from sixgate.api.refusal import Refusal
from sixgate.config.limits import Limits

LOGGED_PATH_MAX = 200
_BUSY_RETRY_S = 1
CHECK_PRINCIPAL = "sixgate.check_principal"
"""Where the server puts the check of a principal's rate into a request's scope."""
_LOG = logging.getLogger("sixgate.http")

INTERNAL = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "A defect in Sixgate: please report it."
)


class LimitedApp:
    """ASGI middleware: bounds requests, adds security headers, answers failures as problems.

    ``now_ms`` is a monotonic clock. The application finds the client's address in
    ``scope["sixgate.client_ip"]``, and calls ``check_rate`` for the principal that it
    authenticated.
    """

    def __init__(self, app: App, limits: Limits, now_ms: Callable[[], int]) -> None:
        self._app = app
        self._limits = limits
        self._now_ms = now_ms
        self._rate = RateLimit(limits.ip_rate)
        self._principal_rates = {
            "agent": RateLimit(limits.agent_rate),
            "user": RateLimit(limits.person_rate),
        }
        self._anonymous = AnonymousRequests(limits)
        self._pending = 0
        self._pending_of: Counter[str] = Counter()
        self.start_error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the start and stop of the application."""
        if scope["type"] != "http":
            await self._live(scope, receive, send)
            return
        began_s = perf_counter()
        ip = client_ip(scope, self._limits.trusted_proxies)
        # The socket's mode admits only the owner of the folder.
        key = None if ip == LOCAL_SOCKET else rate_key(ip)
        scope[SCOPE_MEMBER] = ip
        limit = self._limits.body_bytes_max_of(scope["path"])
        anonymity = None
        if key is not None and not _has_certificate(scope):
            anonymity = Anonymity(self._anonymous, key)
        scope[CHECK_PRINCIPAL] = partial(self._check_principal, anonymity)
        exchange = Exchange(receive, send, limit, anonymity, tls=scope["scheme"] == "https")
        refusal = self._refusal(scope, key, limit)
        if refusal is None:
            with self._counted(key, anonymity):
                await self._serve(scope, exchange)
        else:
            await exchange.refuse(refusal)
        if _LOG.isEnabledFor(logging.DEBUG):
            elapsed_ms = round((perf_counter() - began_s) * 1000)
            facts = {"status": exchange.status, "elapsed_ms": elapsed_ms, "client": ip}
            _LOG.debug("http.request", extra=_named(scope) | facts)

    def _check_principal(self, anonymity: Anonymity | None, principal: str) -> None:
        rate = self._principal_rates[principal.partition(":")[0]]
        if wait_ms := rate.take(principal, self._now_ms()):
            raise rate_problem(wait_ms, f"{principal} sent too many requests")
        if anonymity is not None:
            anonymity.end()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self.start_error = error
            raise

    def _refusal(self, scope: Scope, key: str | None, body_bytes_max: int) -> Refusal | None:
        """Check what is known before the body is read; ``key`` is the client's address."""
        if key is not None:
            if wait_ms := self._rate.take(key, self._now_ms()):
                return too_many_requests(wait_ms, f"The address {key} sent too many requests")
            if self._pending_of[key] >= self._limits.ip_requests_max:
                return _busy(f"requests of address {key}", self._limits.ip_requests_max)
        if self._pending >= self._limits.requests_max:
            return _busy("requests", self._limits.requests_max)
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > body_bytes_max:
                return body_too_large(body_bytes_max)
        return None

    @contextmanager
    def _counted(self, key: str | None, anonymity: Anonymity | None) -> Iterator[None]:
        """Count a request in progress: one client must not take the place of all others."""
        self._pending += 1
        if key is not None:
            self._pending_of[key] += 1
        try:
            yield
        finally:
            self._pending -= 1
            if anonymity is not None:
                anonymity.end()
            if key is not None:
                self._pending_of[key] -= 1
                if not self._pending_of[key]:
                    del self._pending_of[key]

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.refused:  # the application noticed that its request ended early
                return
            _LOG.exception("http.request_failed", extra=_named(scope))
            if exchange.status is None:
                await exchange.refuse(INTERNAL)
            elif not exchange.complete:
                raise ConnectionAbortedError from error  # the server closes the connection


def _has_certificate(scope: Scope) -> bool:
    """Return whether TLS has verified a certificate of the client, as our own processes show."""
    tls = scope.get("extensions", {}).get("tls", {})
    return tls.get("client_cert_name") is not None


def check_rate(scope: Mapping[str, Any], principal: str) -> None:
    """Count a request of an agent or person; raise the 429 problem if it is over its rate.

    Without the middleware, as in tests of the application alone, there is no limit.
    """
    if check := scope.get(CHECK_PRINCIPAL):
        check(principal)


def too_many_requests(wait_ms: int, sentence: str) -> Refusal:
    """Return the refusal of a client that is over its rate."""
    after_s = retry_after_s(wait_ms)
    detail = f"{sentence}: retry in {after_s} s."
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", detail, after_s)


def rate_problem(wait_ms: int, sentence: str, code: str | None = None) -> Problem:
    """Return the refusal as a problem, for use after authentication; ``code`` replaces its code."""
    refusal = too_many_requests(wait_ms, sentence)
    headers = {"Retry-After": str(refusal.retry_after_s)}
    return Problem(refusal.status, code or refusal.code, refusal.detail, headers=headers)


def _busy(what: str, count_max: int) -> Refusal:
    detail = f"The server handles its maximum of {count_max} {what}: retry."
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, _BUSY_RETRY_S)


def _named(scope: Scope) -> dict[str, object]:
    """Return method and path for a log. The query and the headers may contain secrets."""
    return {"method": scope["method"], "path": scope["path"][:LOGGED_PATH_MAX]}

"""Protocol of the client without I/O: tokens, retries, errors.

Every operation is a generator: it yields ``Request`` and ``Pause`` and is sent the ``Reply``, or
``Lost`` if none arrived. The blocking and the asynchronous client drive the same generators.
"""

import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

from sixgate_client.errors import (
    ConflictError,
    ConnectionFailedError,
    Json,
    RateLimitedError,
    ServerError,
    SixgateError,
    UnauthenticatedError,
    UnexpectedReplyError,
    error_of,
)

ATTEMPTS_MAX = 4
BACKOFF_S, BACKOFF_S_MAX = 0.25, 5.0
RETRY_AFTER_S_MAX = 60.0  # a longer wait is the caller's decision
RENEW_BEFORE_S = 60.0
LIFETIME_S_DEFAULT = 3600
AGENT_KEY = "ocv_"
_RETRIED_STATUSES = {500, 502, 503, 504}
_HEADER = re.compile(r"([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?", re.ASCII)
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_DELETED = 204


class Request(NamedTuple):
    """One HTTP request; the caller adds the base URL."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None


class Pause(NamedTuple):
    """Wait before the next step."""

    seconds: float


class Reply(NamedTuple):
    """A complete HTTP reply; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Lost(NamedTuple):
    """No reply arrived; it is unknown whether the server acted."""

    cause: Exception


T = TypeVar("T")
Step: TypeAlias = Request | Pause
Answer: TypeAlias = Reply | Lost | None
Operation: TypeAlias = Generator[Step, Answer, T]


class Options(NamedTuple):
    """What a call sends besides method and path.

    With ``key`` the server knows a repetition, so the call is retried. ``repeatable`` says so for
    other calls; by default only a GET is.
    """

    body: Json | None = None
    params: Mapping[str, object] = {}
    headers: Mapping[str, str] = {}
    key: str | None = None
    repeatable: bool | None = None
    anonymous: bool = False


NOTHING = Options()


@dataclass(slots=True)
class Session:
    """Identity of one client; secrets are left out of its ``repr``."""

    clock: Callable[[], float]
    uniform: Callable[[float, float], float]
    new_key: Callable[[], str]
    api_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    agent_id: str | None = None
    server: str = "the server"
    renew_at_s: float = 0.0
    attempts_max: int = ATTEMPTS_MAX

    def call(self, method: str, path: str, options: Options = NOTHING) -> Operation[Any]:
        """Send a request and return the JSON of its reply (None for 204); retry if that is safe.

        Raises ``SixgateError``.
        """
        try:
            reply = yield from self.exchange(method, path, options)
            return None if reply.status == _DELETED else _json(f"{method} {path}", reply)
        except SixgateError as error:
            error.idempotency_key = options.key
            raise

    def exchange(self, method: str, path: str, options: Options = NOTHING) -> Operation[Reply]:
        """Send a request as ``call`` does and return the successful reply."""
        repeatable = options.repeatable
        if repeatable is None:
            repeatable = method == "GET" or options.key is not None
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            request = yield from self._request(method, path, options)
            outcome = self._judge((yield request))
            if isinstance(outcome, Reply):
                return outcome
            if isinstance(outcome, UnauthenticatedError) and self._may_renew(options, renewed):
                # The server acted on nothing, so any request may be repeated with a fresh token.
                self.token, renewed = None, True
                continue
            wait_s = self._wait_s(outcome, attempt) if repeatable else None
            if wait_s is None:
                raise outcome
            yield Pause(wait_s)

    def own_agent_id(self, given: str | None = None) -> Operation[str]:
        """Return the id in the path: the given one, or that of the agent whose token this is."""
        if given is not None:
            return given
        if self.agent_id is None and self.api_key is not None and self.token is None:
            yield from self._renew()
        if self.agent_id is None:
            me = yield from self.call("GET", "/v1/agents/me")
            self.agent_id = str(me["id"])
        return self.agent_id

    def _request(self, method: str, path: str, options: Options) -> Operation[Request]:
        headers = {"accept": "application/json", **options.headers}
        if not options.anonymous:
            if self.api_key is not None and (self.token is None or self.clock() >= self.renew_at_s):
                yield from self._renew()
            if self.token is not None:
                headers["authorization"] = f"Bearer {self.token}"
        if options.key is not None:
            headers["idempotency-key"] = options.key
        body = None
        if options.body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(options.body, ensure_ascii=False, allow_nan=False).encode()
        params = {name: _text(value) for name, value in options.params.items() if value is not None}
        _check_headers(headers)
        return Request(method, path, params, headers, body)

    def _judge(self, answer: Answer) -> Reply | SixgateError:
        if isinstance(answer, Lost):
            why = str(answer.cause) or type(answer.cause).__name__
            return ConnectionFailedError(f"no reply arrived from {self.server}: {why}")
        if answer is None:
            raise TypeError("a request must be answered with Reply or Lost")
        if 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own
            return answer
        return error_of(answer.status, answer.content, _retry_after_s(answer.headers))

    def _renew(self) -> Operation[None]:
        """Exchange the API key for a token; asking twice does no harm, so it is retried."""
        agent = str(self.api_key).startswith(AGENT_KEY)
        path = "/v1/auth/agent-token" if agent else "/v1/auth/api-key-token"
        body = {"api_key": self.api_key}
        options = Options(body=body, repeatable=True, anonymous=True)
        # Taken before the exchange: a slow reply must not make the token look younger than it is.
        asked_at_s = self.clock()
        found = yield from self.call("POST", path, options)
        if not isinstance(found, dict) or not isinstance(found.get("access_token"), str):
            raise UnexpectedReplyError(f"POST {path} was answered without an access token")
        lifetime_s = float(found.get("expires_in") or LIFETIME_S_DEFAULT)
        self.token = found["access_token"]
        self.renew_at_s = asked_at_s + lifetime_s - min(RENEW_BEFORE_S, lifetime_s / 2)
        if agent and found.get("agent_id"):
            self.agent_id = str(found["agent_id"])

    def _may_renew(self, options: Options, renewed: bool) -> bool:  # noqa: FBT001 - private
        return self.api_key is not None and not options.anonymous and not renewed

    def _wait_s(self, error: SixgateError, attempt: int) -> float | None:
        """Return how long to wait before the next attempt; None if the error is final."""
        if attempt >= self.attempts_max or not _is_transient(error):
            return None
        if error.retry_after_s is not None:
            return error.retry_after_s if error.retry_after_s <= RETRY_AFTER_S_MAX else None
        most_s = min(BACKOFF_S_MAX, BACKOFF_S * 2**attempt)
        return self.uniform(most_s / 2, most_s)


def segment(value: str) -> str:
    """Return one path segment, with everything but unreserved characters encoded."""
    return quote(_named(value), safe="")


def secret_path(path: str) -> str:
    """Return a secret's path: its slashes stay, everything else is encoded."""
    return "/".join(segment(part) for part in path.split("/"))


def _named(part: str) -> str:
    # HTTP clients resolve these before they send, so the request would reach another route.
    if part in {"", ".", ".."}:
        raise ValueError(f"{part!r} cannot be a part of a path")
    return part


def _check_headers(headers: Mapping[str, str]) -> None:
    """Refuse a value that HTTP does not allow: the error of an HTTP library would repeat it."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(value):
            raise ValueError(
                f"the value of {name} must be printable ASCII without spaces around it"
            )


def _json(request: str, reply: Reply) -> Any:
    try:
        return json.loads(reply.content)
    except ValueError:
        raise UnexpectedReplyError(
            f"{request} was answered {reply.status} without JSON", status=reply.status
        ) from None


def _is_transient(error: SixgateError) -> bool:
    """Return whether a repetition may succeed: it never does for a decision on the request."""
    if error.decided:
        return False
    if isinstance(error, ConflictError):  # still in progress; otherwise another request's key
        return error.code.endswith("in_progress") or error.retry_after_s is not None
    if isinstance(error, ServerError):
        return error.status in _RETRIED_STATUSES
    return isinstance(error, ConnectionFailedError | RateLimitedError)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    found = headers.get("retry-after", "")
    return float(found) if _SECONDS.fullmatch(found) else None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

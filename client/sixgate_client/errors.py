"""The client's error tree: one class per kind of failure that a caller handles differently."""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class SixgateError(Exception):
    """A call failed; the message is one sentence with the reason, the numbers and the id.

    ``code`` is the stable reason, ``status`` the HTTP status (0 without a reply), ``problem`` the
    whole problem document, ``retry_after_s`` the server's header ``Retry-After``.

    ``idempotency_key`` is the key of a submission that failed, also a generated one. The outcome
    may be unknown whatever the error is, because an earlier attempt may have arrived: to learn it,
    repeat the call with this key.
    """

    retry_after_s: float | None = None
    idempotency_key: str | None = None

    def __init__(self, detail: str, *, status: int = 0, problem: Json | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.problem: Json = problem or {}
        self.code = str(self.problem.get("code", ""))

    @property
    def gate(self) -> str | None:
        """Return the gate whose rule refused a transaction or message, if one did."""
        return self.problem.get("gate")

    @property
    def evidence(self) -> dict[str, str]:
        """Return the values that the rule compared."""
        return dict(self.problem.get("evidence") or {})

    @property
    def transaction_id(self) -> str | None:
        """Return the id of the recorded transaction."""
        return self.problem.get("transaction_id") or self.problem.get("id")

    @property
    def decided(self) -> bool:
        """Return whether the signer ended the intent: its key gives the same answer again."""
        return self.gate is not None


class ConnectionFailedError(SixgateError):
    """No reply arrived. The outcome of a submitted request is unknown."""


class UnexpectedReplyError(SixgateError):
    """The reply is not what the API describes: another server, or a proxy in between."""


class StillPendingError(SixgateError):
    """The deadline passed before the transaction ended; ``transaction`` is its last state."""

    def __init__(self, transaction: Json) -> None:
        name, state = transaction.get("id"), transaction.get("status")
        super().__init__(f"transaction {name} is still {state}: ask for it again later")
        self.transaction = transaction


class InvalidRequestError(SixgateError):
    """400: ``fields`` maps each wrong field to the reason."""

    @property
    def fields(self) -> dict[str, str]:
        """Return the reason of each wrong field."""
        return dict(self.problem.get("fields") or {})


class UnauthenticatedError(SixgateError):
    """401: the key or token is wrong, expired or revoked."""


class RefusedError(SixgateError):
    """403: a rule or a right refuses the request, and nothing was signed."""

    @property
    def reason(self) -> str:
        """Return the stable code of the reason."""
        return self.code


class ApprovalRequiredError(RefusedError):
    """403: a person must approve first."""

    @property
    def approval_request_id(self) -> str | None:
        """Return the id of the request that waits for approval."""
        return self.problem.get("approval_request_id")


class SimulationFailedError(RefusedError):
    """422: the transaction reverted in simulation, so it was not signed."""


class NotFoundError(SixgateError):
    """404: there is no such object, or it belongs to another agent."""


class ConflictError(SixgateError):
    """409: the object exists, or the idempotency key belongs to another request."""


class RateLimitedError(SixgateError):
    """429: retry after ``retry_after_s``."""


class ServerError(SixgateError):
    """5xx: the server failed or is unavailable."""


class NotSupportedError(ServerError):
    """501: this server does not implement the operation."""


_BY_STATUS: Mapping[int, type[SixgateError]] = {
    400: InvalidRequestError,
    401: UnauthenticatedError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
    422: SimulationFailedError,
    429: RateLimitedError,
    501: NotSupportedError,
}
_BY_TRANSACTION_STATUS: Mapping[str, type[SixgateError]] = {
    "refused": RefusedError,
    "simulation_failed": SimulationFailedError,
}


def error_of(status: int, content: bytes, retry_after_s: float | None = None) -> SixgateError:
    """Return the error for a reply that is not a success."""
    problem = _object(content)
    detail = next(
        (str(problem[name]) for name in ("detail", "message", "error") if problem.get(name)),
        f"the server answered {status} without a reason",
    )
    default = ServerError if status >= 500 else UnexpectedReplyError  # noqa: PLR2004 - HTTP's own
    kind = _BY_STATUS.get(status, default)
    if kind is RefusedError and problem.get("type") == "approval_required":
        kind = ApprovalRequiredError
    error = kind(detail, status=status, problem=problem)
    error.retry_after_s = retry_after_s
    return error


def ended_error(transaction: Json) -> SixgateError | None:
    """Return the error for a transaction that ended without a signature, as its POST reports it."""
    kind = _BY_TRANSACTION_STATUS.get(str(transaction.get("status")))
    if kind is None:
        return None
    code = transaction.get("code") or transaction.get("reason") or ""
    detail = str(transaction.get("detail") or f"transaction {transaction.get('id')}: {code}")
    return kind(detail, problem={**transaction, "code": code})


def _object(content: bytes) -> Json:
    try:
        value = json.loads(content or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

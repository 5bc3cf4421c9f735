"""Results of MCP tools. A refusal is a result that a model can act on, not a protocol error."""

import json

from mcp_types import CallToolResult, TextContent
from pydantic import ValidationError
from sixgate_client import (
    ConflictError,
    ConnectionFailedError,
    InvalidRequestError,
    NotSupportedError,
    RateLimitedError,
    RefusedError,
    ServerError,
    SixgateError,
    UnauthenticatedError,
    UnexpectedReplyError,
)
from sixgate_client.errors import Json

from schemas.canonical import validation_message
from sixgate.mcp.limits import left_eth, would_pass

# The gate of a reason, for a server that does not name it.
_GATES = {
    "recipient_not_allowed": "allowlist",
    "contract_creation": "allowlist",
    "message_signing_off": "allowlist",
    "domain_not_allowed": "allowlist",
    "spending_not_allowed": "allowlist",
    "value_too_high": "value-cap",
    "fee_too_high": "value-cap",
    "daily_limit_exceeded": "daily-limit",
    "chain_not_allowed": "chain-restriction",
    "chain_unknown": "chain-restriction",
    "simulation_reverted": "simulation",
    "simulation_failed": "simulation",
}


def success(content: Json) -> CallToolResult:
    """Return the reply of the API."""
    return _result(content, json.dumps(content, ensure_ascii=False), is_error=False)


def is_refusal(error: SixgateError) -> bool:
    """Return whether a rule or a right refuses the call, whatever the status says."""
    return isinstance(error, RefusedError) or error.decided


def refusal(error: SixgateError, agent: Json | None) -> CallToolResult:
    """Return a refusal: the rule, the reason, what would pass and what is left."""
    known = agent or {}
    passing = would_pass(error.code, known)
    content = {
        "refused": True,
        "rule": error.gate or _GATES.get(error.code),
        "reason": error.code,
        "sentence": error.detail,
        "would_pass": passing,
        "left_24h_eth": left_eth(known),
        "transaction_id": error.transaction_id,
        "evidence": error.evidence or None,
        "retry_after_s": error.retry_after_s,
    }
    left = content["left_24h_eth"]
    sentences = [
        f"Refused: {error.detail}",
        f"What would pass: {passing}" if passing else "",
        f"Left in these 24 hours: {left} ETH." if left is not None else "",
    ]
    return _failed(content, sentences)


def failure(error: SixgateError) -> CallToolResult:
    """Return any other failure, with what to do next."""
    advice = _next(error)
    content: Json = {
        "refused": False,
        "reason": error.code or type(error).__name__.removesuffix("Error"),
        "sentence": error.detail,
        "retryable": _is_retryable(error),
        "retry_after_s": error.retry_after_s,
        "idempotency_key": error.idempotency_key,
        "next": advice,
    }
    if isinstance(error, InvalidRequestError):
        content["fields"] = error.fields
    return _failed(content, [error.detail, advice or ""])


def invalid_arguments(error: ValidationError) -> CallToolResult:
    """Return which arguments are wrong; the values are not repeated."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    fields = {".".join(map(str, one["loc"])): validation_message(one) for one in found}
    return misuse("; ".join(f"{name}: {why}" for name, why in fields.items()), fields)


def misuse(sentence: str, fields: Json | None = None) -> CallToolResult:
    """Return that the call itself is wrong."""
    content = {"refused": False, "reason": "invalid_arguments", "sentence": sentence}
    return _failed(content | {"fields": fields or {}, "retryable": False}, [sentence])


def _next(error: SixgateError) -> str | None:
    if isinstance(error, UnauthenticatedError):
        return "Ask a person for a valid API key."
    if not _is_retryable(error):
        return None
    limited = isinstance(error, RateLimitedError)
    after = f"Retry in {error.retry_after_s or 1:.0f} seconds." if limited else None
    if error.idempotency_key is None:
        return after
    return (
        f"{after or 'The outcome is unknown.'} Repeat the call with "
        f"idempotency_key {error.idempotency_key}. A new key would be a second transaction."
    )


def _is_retryable(error: SixgateError) -> bool:
    """Return whether the same call may succeed later: it failed, or its key is in progress."""
    if isinstance(error, NotSupportedError):
        return False
    in_progress = isinstance(error, ConflictError) and error.code.endswith("in_progress")
    return in_progress or isinstance(
        error, ConnectionFailedError | RateLimitedError | ServerError | UnexpectedReplyError
    )


def _failed(content: Json, sentences: list[str]) -> CallToolResult:
    given = {name: value for name, value in content.items() if value is not None}
    return _result(given, " ".join(filter(None, sentences)), is_error=True)


def _result(content: Json, text: str, *, is_error: bool) -> CallToolResult:
    block = TextContent(type="text", text=text)
    return CallToolResult(content=[block], structured_content=content, is_error=is_error)

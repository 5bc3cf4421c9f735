"""Translates exceptions of clickhouse-connect into ledger errors of one sentence."""

import re

from clickhouse_connect.driver.exceptions import Error, StreamFailureError
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from streams.ledger.errors import (
    LedgerDeniedError,
    LedgerMissingError,
    LedgerUnavailableError,
    LedgerUnreachableError,
)
from streams.ledger.framed_http import UnexpectedResponseError

_CODE = re.compile(r"(?s)^.*?DB::Exception: (?:Code: \d+\. DB::Exception: )?")
_REST = re.compile(
    r"\. \([A-Z_]+\)|[.:?] In scope|, Stack trace|\. Expected one of|\. Expression:|\n"
)
_DISK_FULL = ("NOT_ENOUGH_SPACE", "No space left on device", "File too large")
_WRONG_PASSWORD = 516
_NOT_GRANTED = 497
_NO_DATABASE, _NO_TABLE = 81, 60


def failure_of(what_failed: str, error: Exception, advice: str) -> LedgerUnavailableError:
    """Return the ledger error; ``advice`` says what to check if the server does not answer."""
    # After the first rows, the library may take text of a row for an error code.
    begun = isinstance(error, StreamFailureError)
    code = error.code if isinstance(error, Error) and not begun else None
    if code == _WRONG_PASSWORD:
        return LedgerDeniedError(f"{what_failed}: the server rejects this user or password.")
    if code == _NOT_GRANTED:
        return LedgerDeniedError(f"{what_failed}: {reason_of(error)}.")
    if code in (_NO_DATABASE, _NO_TABLE):
        return LedgerMissingError(f"{what_failed}: {reason_of(error)}.")
    lost = _lost(error)
    if lost is not None:
        return LedgerUnreachableError(f"{what_failed}: {_transport(lost)}; {advice}.")
    return LedgerUnavailableError(f"{what_failed}: {reason_of(error)}.")


def reason_of(error: Exception) -> str:
    """Return the engine's reason without code, version, stack and quoted values."""
    text = str(error)
    if any(mark in text for mark in _DISK_FULL):
        return "the disk is full; free some space and start again"
    if "codec can't decode" in text:
        return "the engine refused a row, most likely because its hash is wrong"
    return _REST.split(_CODE.sub("", text))[0].strip(" .:")[:300] or "the engine gave no reason"


def _lost(error: BaseException) -> HTTPError | None:
    """Return urllib3's error about the connection; None if there was an answer.

    The library's own text quotes the whole request and does not say why an answer ended.
    """
    cause = error.__cause__
    while cause is not None and not isinstance(cause, HTTPError):
        cause = cause.__cause__
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, HTTPError):
        return cause.reason
    return cause


def _transport(lost: HTTPError) -> str:
    if isinstance(lost, SSLError):
        return "the TLS handshake failed; one side does not trust the other's certificate"
    if isinstance(lost, ReadTimeoutError):
        return "it accepted the request but did not answer before the timeout"
    if isinstance(lost, ConnectTimeoutError | NewConnectionError):
        return "the connection failed"
    if isinstance(lost, UnexpectedResponseError):
        return "the server at this address is not ClickHouse"
    return "the connection was lost before the answer was complete"

"""Translates internal errors to errors of the API."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sixgate.api import ApiError
from sixgate.fatal_errors import FATAL_ERRORS
from streams.kafka.errors import (
    KafkaBusError,
    KafkaDeniedError,
    KafkaTopicMissingError,
    KafkaUnreachableError,
    KafkaWriteUnknownError,
)
from streams.ledger.errors import LedgerError

EXPECTED_ERRORS = (LedgerError, KafkaBusError, *FATAL_ERRORS)
# The first matching row counts: a subclass must precede its base class.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (LedgerError, "ledger_failed"),
    *((kind, "halted") for kind in FATAL_ERRORS),
    (KafkaUnreachableError, "connection_lost"),
    (KafkaWriteUnknownError, "connection_lost"),
    (KafkaDeniedError, "denied"),
    (KafkaTopicMissingError, "topic_missing"),
    (KafkaBusError, "halted"),
)


def api_error(error: Exception) -> ApiError:
    """Return the API error for any exception; an unexpected one is a defect (``internal``)."""
    if isinstance(error, ApiError):
        return error
    for kind, code in _CODES:
        if isinstance(error, kind):
            return ApiError(code, str(error))
    sentence = f"a defect in sixgate ({type(error).__name__}): please report it"
    return ApiError("internal", sentence)


def reporting(failed: Callable[[Exception], None]) -> Callable[[Exception], ApiError]:
    """Return ``api_error`` for a process that ends when ``failed`` gets an unexpected error."""

    def translate(error: Exception) -> ApiError:
        if not isinstance(error, ApiError):
            failed(error)
        return api_error(error)

    return translate


@contextmanager
def as_api_errors() -> Iterator[None]:
    """Re-raise expected errors as ``ApiError``; leave unexpected ones unchanged."""
    try:
        yield
    except EXPECTED_ERRORS as error:
        raise api_error(error) from error

"""From whatever fails behind the front door to what its clients are told."""

from collections.abc import Iterator
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

# The first row that fits counts, so a special case stands before its base.
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
    """Say whose fault an error is: the client's, the ledger's, what halts us, or our own."""
    if isinstance(error, ApiError):
        return error
    for kind, code in _CODES:
        if isinstance(error, kind):
            return ApiError(code, str(error))
    sentence = f"a defect in sixgate ({type(error).__name__}): please report it"
    return ApiError("internal", sentence)


@contextmanager
def as_api_errors() -> Iterator[None]:
    """Raise what is foreseen as an ``ApiError``; let a defect be seen for what it is."""
    try:
        yield
    except (LedgerError, KafkaBusError, *FATAL_ERRORS) as error:
        raise api_error(error) from error

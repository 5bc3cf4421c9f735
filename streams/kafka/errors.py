"""What can go wrong with Kafka, in sentences for an operator."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import errors

from schemas.topics import Topic


class KafkaFault(Exception):  # noqa: N818 - the family of all below
    """Kafka cannot be used as it must be; the process ends and a new one goes on."""


class KafkaUnreachable(KafkaFault):
    """No broker answers, or none in time."""


class KafkaDenied(KafkaFault):
    """The broker knows who we are and forbids it."""


class KafkaTopicMissing(KafkaFault):
    """A topic is not there."""


class KafkaFenced(KafkaFault):
    """A newer process has taken this one's place."""


class KafkaWriteUnknown(KafkaFault):
    """A write may or may not have happened: only a new start can tell."""


class KafkaGap(KafkaFault):
    """The log no longer holds what was not read yet."""


_DENIED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
    errors.SaslAuthenticationFailed,
    errors.AuthenticationFailedError,
)
_FENCED = (errors.ProducerFenced, errors.InvalidProducerEpoch, errors.TransactionCoordinatorFenced)
_UNREACHABLE = (
    errors.KafkaConnectionError,
    errors.KafkaUnavailableError,
    errors.NoBrokersAvailable,
    errors.NodeNotReadyError,
    errors.GroupCoordinatorNotAvailableError,
    errors.RequestTimedOutError,
    errors.KafkaTimeoutError,
    TimeoutError,
    OSError,
)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn aiokafka's errors into ours; ``doing`` completes "Kafka failed while …"."""
    try:
        yield
    except _DENIED as error:
        raise KafkaDenied(
            f"Kafka refused {doing}: {_text(error)}. Give this principal the rights that "
            "sixgate topics plan shows."
        ) from error
    except _FENCED as error:
        raise KafkaFenced(
            f"Another process took over while {doing}; this one has stopped, nothing is lost."
        ) from error
    except errors.UnknownTopicOrPartitionError as error:
        raise missing(doing) from error
    except _UNREACHABLE as error:
        raise KafkaUnreachable(
            f"Kafka did not answer while {doing} ({_text(error)}): check the address, the "
            "certificates and that a broker runs."
        ) from error
    except errors.KafkaError as error:
        raise KafkaFault(f"Kafka failed while {doing}: {_text(error)}") from error


def missing(topic: Topic | str) -> KafkaTopicMissing:
    """Return the error of a topic that is not there or has too few partitions."""
    return KafkaTopicMissing(
        f"Kafka lacks what is needed for {topic}: run sixgate topics apply, then start again."
    )


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__

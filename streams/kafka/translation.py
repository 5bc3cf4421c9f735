"""Translates aiokafka's exceptions to ``KafkaBusError``."""

from collections.abc import Container, Iterator
from contextlib import contextmanager

from aiokafka import errors

from schemas.topics import Topic
from streams.kafka.errors import (
    KafkaBusError,
    KafkaFencedError,
    KafkaUnreachableError,
    denied,
    missing,
    missing_while,
)
from streams.kafka.names import Names

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
def translated(doing: str, names: Names) -> Iterator[None]:
    """Translate aiokafka's errors; ``doing`` completes "Kafka failed while …".

    ``names`` has the prefix for the command that an error advises.
    """
    try:
        yield
    except _DENIED as error:
        raise denied(f"{doing} ({_text(error)})", _verify(names)) from error
    except _FENCED as error:
        raise KafkaFencedError(
            f"Another process fenced this one while {doing}; this one stopped, and nothing is lost."
        ) from error
    except errors.UnknownTopicOrPartitionError as error:
        raise missing_while(doing, names.topics_command("apply")) from error
    except _UNREACHABLE as error:
        raise KafkaUnreachableError(
            f"Kafka did not answer while {doing} ({_text(error)}): check the address, the "
            "certificates and that a broker runs."
        ) from error
    except (errors.KafkaError, errors.IllegalOperation) as error:
        raise KafkaBusError(f"Kafka failed while {doing}: {_text(error)}") from error


def invisible_topic(topic: Topic, names: Names, unauthorized: Container[str]) -> KafkaBusError:
    """Return the error of a topic without metadata: it is missing, or we may not see it."""
    name = names.of(topic)
    if name in unauthorized:
        return denied(f"to show {name}", _verify(names))
    return missing(name, names.topics_command("apply"))


def _verify(names: Names) -> str:
    return names.topics_command("verify", acls=True)


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__

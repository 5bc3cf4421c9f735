"""Errors of Kafka, with sentences for operators."""


class KafkaBusError(Exception):
    """Kafka cannot be used as required; the process ends, and a new start continues."""


class KafkaUnreachableError(KafkaBusError):
    """No broker answers in time."""


class KafkaDeniedError(KafkaBusError):
    """The broker rejects our certificate or denies an operation."""


class KafkaTopicMissingError(KafkaBusError):
    """A topic is missing or has too few partitions."""


class KafkaMisconfiguredError(KafkaBusError):
    """Topics or rights are weaker than declared."""


class RegistryMissingError(KafkaBusError):
    """Kafka holds no registry of the organisation that the data folder trusts."""


class KafkaFencedError(KafkaBusError):
    """A newer process fenced this one."""


class KafkaWriteUnknownError(KafkaBusError):
    """A write may or may not have happened; only a new start can find out."""


class KafkaGapError(KafkaBusError):
    """The log no longer contains records that were not read yet."""


def denied(what: str, command: str) -> KafkaDeniedError:
    """Return the error of a denied operation; ``command`` verifies the rights."""
    return KafkaDeniedError(
        f"Kafka refused {what}: check that this is the right certificate, and run {command} to "
        "verify its rights."
    )


def no_registry() -> RegistryMissingError:
    """Return the error of a registry without records of the trusted organisation."""
    return RegistryMissingError(
        "Kafka holds no registry of the organisation that this data folder trusts: run sixgate "
        "publish, or check the data folder and the address of the brokers."
    )


def missing_while(doing: str, command: str) -> KafkaTopicMissingError:
    """Return the error of an operation that met a missing topic; ``command`` as in ``missing``."""
    return KafkaTopicMissingError(
        f"Kafka has no such topic or partition while {doing}: run {command}, then start again."
    )


def missing(topic: str, command: str) -> KafkaTopicMissingError:
    """Return the error of a topic that is missing or has too few partitions.

    ``command`` creates the topics: ``Names.topics_command``.
    """
    return KafkaTopicMissingError(
        f"Kafka lacks {topic} or some of its partitions: run {command}, then start again."
    )

"""What can go wrong with Kafka, in sentences for an operator."""


class KafkaBusError(Exception):
    """Kafka cannot be used as it must be; the process ends and a new one goes on."""


class KafkaUnreachableError(KafkaBusError):
    """No broker answers, or none in time."""


class KafkaDeniedError(KafkaBusError):
    """The broker knows who we are and forbids it."""


class KafkaTopicMissingError(KafkaBusError):
    """A topic is not there."""


class KafkaMisconfiguredError(KafkaBusError):
    """Topics or rights are weaker than declared."""


class RegistryMissingError(KafkaBusError):
    """Kafka holds no registry of the organisation that is trusted here."""


class KafkaFencedError(KafkaBusError):
    """A newer process has taken this one's place."""


class KafkaWriteUnknownError(KafkaBusError):
    """A write may or may not have happened: only a new start can tell."""


class KafkaGapError(KafkaBusError):
    """The log no longer holds what was not read yet."""


def denied(what: str, command: str) -> KafkaDeniedError:
    """Return the error of what a broker forbids; ``command`` verifies the rights."""
    return KafkaDeniedError(
        f"Kafka refused {what}: check that this is the right certificate, and that {command} "
        "finds its rights as declared."
    )


def no_registry() -> RegistryMissingError:
    """Return the error of a registry that holds nothing signed by who is trusted here."""
    return RegistryMissingError(
        "Kafka holds no registry of the organisation that this data folder trusts: run sixgate "
        "publish, or check which folder and which brokers are meant."
    )


def missing(topic: str, command: str) -> KafkaTopicMissingError:
    """Return the error of a topic that is not there or has too few partitions.

    ``command`` makes the topics: ``Names.topics_command``.
    """
    return KafkaTopicMissingError(
        f"Kafka lacks what is needed for {topic}: run {command}, then start again."
    )

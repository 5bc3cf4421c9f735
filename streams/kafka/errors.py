"""What can go wrong with Kafka, in sentences for an operator."""


class KafkaFault(Exception):  # noqa: N818 - the family of all below
    """Kafka cannot be used as it must be; the process ends and a new one goes on."""


class KafkaUnreachable(KafkaFault):
    """No broker answers, or none in time."""


class KafkaDenied(KafkaFault):
    """The broker knows who we are and forbids it."""


class KafkaTopicMissing(KafkaFault):
    """A topic is not there."""


class KafkaWeaker(KafkaFault):
    """Topics or rights are weaker than declared."""


class RegistryMissing(KafkaFault):
    """Kafka holds no registry of the organisation that is trusted here."""


class KafkaFenced(KafkaFault):
    """A newer process has taken this one's place."""


class KafkaWriteUnknown(KafkaFault):
    """A write may or may not have happened: only a new start can tell."""


class KafkaGap(KafkaFault):
    """The log no longer holds what was not read yet."""


def denied(what: str, command: str) -> KafkaDenied:
    """Return the error of what a broker forbids; ``command`` verifies the rights."""
    return KafkaDenied(
        f"Kafka refused {what}: check that this is the right certificate, and that {command} "
        "finds its rights as declared."
    )


def no_registry() -> RegistryMissing:
    """Return the error of a registry that holds nothing signed by who is trusted here."""
    return RegistryMissing(
        "Kafka holds no registry of the organisation that this data folder trusts: run sixgate "
        "publish, or check which folder and which brokers are meant."
    )


def missing(topic: str, command: str) -> KafkaTopicMissing:
    """Return the error of a topic that is not there or has too few partitions.

    ``command`` makes the topics: ``Names.topics_command``.
    """
    return KafkaTopicMissing(
        f"Kafka lacks what is needed for {topic}: run {command}, then start again."
    )

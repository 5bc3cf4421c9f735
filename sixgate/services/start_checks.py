"""Start checks: refuse topics and rights on Kafka that are weaker than declared."""

import logging
from collections.abc import Sequence

from schemas.topics import Principal
from sixgate.config.sections import KafkaSettings
from streams.kafka.admin import Admin
from streams.kafka.broker import Broker
from streams.kafka.differences import keyed_partitions, rights_differences, topic_differences
from streams.kafka.errors import KafkaMisconfiguredError
from streams.kafka.topics import Replication

_LOG = logging.getLogger("sixgate.start_checks")


async def check_declared(
    settings: KafkaSettings, broker: Broker, partitions: int | None, principal: Principal
) -> None:
    """Raise ``KafkaMisconfiguredError`` unless topics and rights are as declared for a principal.

    Without ``partitions``, all keyed topics must have the same number. With ``insecure_dev``
    nothing is checked. Raises ``KafkaDeniedError``, ``KafkaBusError``.
    """
    if settings.insecure_dev:
        _LOG.warning("kafka.unchecked", extra={"detail": "insecure_dev: topics and rights"})
        return
    rights = await rights_differences(broker, principal)
    who = broker.names.of(principal)
    identity = f"check that the certificate is that of {who}"
    grant = broker.names.topics_command("apply", acls=True)
    _refuse(rights, f"{identity}, run {grant} and start again")
    count = await keyed_partitions(broker) if partitions is None else partitions
    replication = Replication(settings.copies, settings.in_sync)
    async with Admin(broker) as admin:
        topics = await topic_differences(admin, count, replication, principal)
    _refuse(topics, f"run {broker.names.topics_command('apply')}, then start again")


def _refuse(differences: Sequence[object], advice: str) -> None:
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise KafkaMisconfiguredError(f"{differences[0]}{more}: {advice}.")

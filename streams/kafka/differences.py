"""Differences of topics and rights on Kafka from the declared ones: reads, and changes nothing."""

from schemas.topics import Principal, Topic
from streams.kafka.admin import Admin
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaDeniedError, missing
from streams.kafka.rights import (
    RightDifference,
    granted_differences,
    may_read_rights,
    own_differences,
)
from streams.kafka.topics import Difference, KafkaTopic, Replication, declared, diff


async def topic_differences(
    admin: Admin, partitions: int, replication: Replication, principal: Principal | None = None
) -> list[Difference]:
    """Return the differences from the declared topics, or from those of one principal.

    Keyed topics have ``partitions`` partitions. Raises ``KafkaBusError``.
    """
    wanted = declared(partitions, replication, admin.broker.names, principal)
    return diff(wanted, await admin.topics(wanted))


async def keyed_partitions(broker: Broker) -> int:
    """Return the partition count of ``outcomes``; all keyed topics must have the same.

    Raises ``KafkaTopicMissingError``, ``KafkaBusError``.
    """
    asked = KafkaTopic(broker.names.of(Topic.OUTCOMES), 0, 0, {})
    async with Admin(broker) as admin:
        found = await admin.topics([asked])
    if asked.name not in found:
        raise missing(asked.name, broker.names.topics_command("apply"))
    return found[asked.name].partitions


async def rights_differences(broker: Broker, principal: Principal) -> list[RightDifference]:
    """Return the differences from the declared rights that concern ``principal``.

    Raises ``KafkaDeniedError`` if this connection has no rights at all, ``KafkaUnprotectedError``
    and ``KafkaBusError``.
    """
    names = broker.names
    async with Admin(broker) as admin:
        held = await admin.own_acls(names.user(principal), map(names.of, Topic))
        if not held:
            who = names.of(principal)
            raise KafkaDeniedError(
                f"This process has no right of {who} on Kafka: check that its "
                f"certificate is that of {who}, and run {names.topics_command('apply', acls=True)}."
            )
        given = await admin.acls() if may_read_rights(principal, held, names) else frozenset()
    own = own_differences(principal, held, names)
    return own or granted_differences(principal, given, names)

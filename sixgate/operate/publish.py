"""Publishes a new organisation's registry and key requests from a data folder to Kafka.

1. Own the folder, and refuse it if a pipeline has run in it.
2. Find the records that Kafka lacks; refuse another registry.
3. Mark the folder as published. *If the process ends before that, nothing happened.*
4. Append the registry, then the key requests. *If the process ends between 3 and the end of 4, no
   pipeline runs in the folder any more, and the next call appends the rest.* So the command is
   idempotent.
"""

from collections.abc import Sequence
from contextlib import closing, suppress
from typing import NamedTuple

from schemas.dsse import Envelope
from schemas.record import REGISTRY_PARTITION, Outgoing
from schemas.registry.records import record_digest
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from sixgate.data_folder.folder import Folder
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaBusError
from streams.kafka.producer import Sender
from streams.kafka.reader import replay
from streams.log.sqlite import SqliteLog


class OtherOrganisationError(KafkaBusError):
    """The registry on Kafka is not the one that a folder founded."""


class Published(NamedTuple):
    """How many registry records and key requests were appended; 0 if Kafka had them all."""

    records: int
    requests: int


async def publish(broker: Broker, folder: Folder) -> Published:
    """Append a folder's registry and key requests that Kafka lacks.

    From then on no pipeline may run in the folder: two pipelines would not know each other's
    budgets. Raises ``FolderError``, ``OtherOrganisationError``, ``KafkaBusError``.
    """
    trust = folder.trust()
    with folder.ownership_lock():
        # 1. If the process ends before 3, the folder is unchanged and Kafka has nothing new.
        folder.refuse_used()
        registry, requests = _inbox_records(folder, trust.partitions)
        # 2. The registry has one partition, so a call that died left a prefix of it.
        on_kafka = [record.value async for record in replay(broker, [REGISTRY_PARTITION])]
        registry = registry[_shared_count(trust.trust_root, registry, on_kafka) :]
        partitions = [(Topic.KEY_REQUESTS, number) for number in range(trust.partitions)]
        sent = {record.value async for record in replay(broker, partitions)}
        requests = [request for request in requests if request.value not in sent]
        # 3. Before the first record is sent, so that two pipelines can never run.
        folder.mark_published()
        # 4. If the process ends here, the next call finds the sent records and appends the rest.
        async with Sender(broker, lambda: trust.partitions) as sender:
            await sender.send(registry)
            await sender.send(requests)
    return Published(len(registry), len(requests))


def _inbox_records(folder: Folder, partitions: int) -> tuple[list[Outgoing], list[Outgoing]]:
    with closing(SqliteLog(folder.inbox, partitions)) as inbox:
        registry, requests = (
            [
                Outgoing(record.topic, record.key, record.value)
                for partition in range(inbox.partitions_of(topic))
                for record in inbox.scan(topic, partition)
            ]
            for topic in (Topic.REGISTRY, Topic.KEY_REQUESTS)
        )
    return registry, requests


def _shared_count(trust_root: str, local: Sequence[Outgoing], on_kafka: Sequence[bytes]) -> int:
    """Return how many of the folder's registry records Kafka already has.

    Raise ``OtherOrganisationError`` if Kafka's registry is another one.
    """
    registry = Registry(trust_root)
    for raw in on_kafka:
        with suppress(RegistryRecordError):  # processes skip invalid records too
            registry.apply(raw)
    shared = min(registry.record_count, len(local))
    digests = [record_digest(Envelope.decode(record.value).body()) for record in local]
    continued = (
        registry.record_count > len(local)
        or not shared
        or registry.last_digest == digests[shared - 1]
    )
    if (on_kafka and not registry.record_count) or not continued:
        raise OtherOrganisationError(
            "Kafka holds another registry, or one with other records, so nothing was sent: use "
            "other brokers, or the data folder in which that registry was made."
        )
    return shared

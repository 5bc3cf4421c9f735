"""Putting an organisation that a folder founded on Kafka, once and whole."""

from collections.abc import Sequence
from contextlib import closing, suppress
from typing import NamedTuple

from schemas.dsse import Envelope
from schemas.record import REGISTRY_PARTITION, Outgoing
from schemas.registry import record_digest
from schemas.topics import Topic
from signer.registry import Registry, RegistryRecordError
from sixgate.data_folder.folder import Folder
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaBusError
from streams.kafka.producer import Sender
from streams.kafka.reader import replay
from streams.log.sqlite import SqliteLog


class OtherOrganisationError(KafkaBusError):
    """The registry on Kafka is not the one that a folder founded."""


class Published(NamedTuple):
    """How many records were sent; none where all were there."""

    records: int
    requests: int


async def publish(broker: Broker, folder: Folder) -> Published:
    """Send a folder's registry and key requests, as far as Kafka lacks them.

    From then on the folder runs no pipeline of its own: two would not know of each other's
    budgets. Raises ``FolderError``, ``OtherOrganisationError``, ``KafkaBusError``.
    """
    trust = folder.trust()
    with folder.owned():
        folder.refuse_used()
        registry, requests = _founded(folder, trust.partitions)
        there = [record.value async for record in replay(broker, [REGISTRY_PARTITION])]
        registry = registry[_shared(trust.trust_root, registry, there) :]
        places = [(Topic.KEY_REQUESTS, number) for number in range(trust.partitions)]
        known = {record.value async for record in replay(broker, places)}
        requests = [request for request in requests if request.value not in known]
        folder.mark_published()
        async with Sender(broker, lambda: trust.partitions) as sender:
            await sender.send(registry)
            await sender.send(requests)
    return Published(len(registry), len(requests))


def _founded(folder: Folder, partitions: int) -> tuple[list[Outgoing], list[Outgoing]]:
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


def _shared(trust_root: str, ours: Sequence[Outgoing], there: Sequence[bytes]) -> int:
    """Return how many of our records Kafka has.

    Raise ``OtherOrganisationError`` if it has others.
    """
    registry = Registry(trust_root)
    for raw in there:
        with suppress(RegistryRecordError):
            registry.apply(raw)
    shared = min(registry.sequence, len(ours))
    names = [record_digest(Envelope.decode(record.value).body()) for record in ours]
    continued = registry.sequence > len(ours) or not shared or registry.head == names[shared - 1]
    if (there and not registry.sequence) or not continued:
        raise OtherOrganisationError(
            "Kafka holds another organisation's registry: nothing was sent; use other brokers, or "
            "the data folder that this registry was made in."
        )
    return shared

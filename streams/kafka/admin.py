"""Kafka administration: reads topics and rights; checks every error code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import SecurityDisabled, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.metadata import MetadataRequest

from streams.kafka.access import CLUSTER, Acl, Operation, Pattern, Resource
from streams.kafka.broker import REQUEST_MS_MAX, Broker
from streams.kafka.errors import KafkaMisconfiguredError, KafkaUnreachableError
from streams.kafka.handshake import diagnose_tls
from streams.kafka.requests import DescribeAllowing, DescribeOwnRights
from streams.kafka.topics import KafkaTopic
from streams.kafka.translation import translated


class KafkaUnprotectedError(KafkaMisconfiguredError):
    """The broker has no authorizer: every client can do everything."""


class Admin:
    """A connection that reads topics and rights; every method raises ``KafkaBusError``."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.client = AIOKafkaAdminClient(
            bootstrap_servers=broker.servers.split(","),
            client_id=broker.client,
            request_timeout_ms=REQUEST_MS_MAX,
            security_protocol="SSL" if broker.tls else "PLAINTEXT",
            ssl_context=broker.tls.context() if broker.tls else None,
        )

    async def __aenter__(self) -> Self:
        try:
            with translated("connecting", self.broker.names):
                await self.client.start()
        except KafkaUnreachableError:
            await diagnose_tls(self.broker)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def topics(self, wanted: Iterable[KafkaTopic]) -> dict[str, KafkaTopic]:
        """Return the wanted topics that exist, with the settings that ``wanted`` names."""
        with translated("reading topics", self.broker.names):
            answer = await self.send(MetadataRequest(None, allow_auto_topic_creation=False))
            present = {topic["topic"]: topic for topic in answer.to_object()["topics"]}
            known = [topic for topic in wanted if topic.name in present]
            settings = await self._settings(known)
        return {
            name: _topic(name, present[name]["partitions"], found)
            for name, found in settings.items()
        }

    async def cluster_id(self) -> str:
        """Return the name that the cluster got when it was formatted."""
        with translated("asking for the cluster", self.broker.names):
            answer = await self.send(MetadataRequest([], allow_auto_topic_creation=False))
        return str(answer.to_object()["cluster_id"])

    async def acls(self) -> frozenset[Acl]:
        """Return all ACLs of the cluster.

        Raises ``KafkaUnprotectedError`` if the broker has no authorizer.
        """
        with translated("reading rights", self.broker.names):
            answer = await self.send(DescribeAllowing())
            if answer.error_code == SecurityDisabled.errno:
                raise KafkaUnprotectedError(
                    "The broker has no authorizer, so every client can do everything: set "
                    "authorizer.class.name on the brokers and start again."
                )
            check(answer.error_code, answer.error_message)
        return frozenset(
            Acl(principal, Operation(operation), Resource(resource), name, Pattern(pattern), host)
            for resource, name, pattern, acls in answer.resources
            if resource in set(Resource)
            for principal, host, operation, _ in acls
        )

    async def own_acls(self, principal: str, topics: Iterable[str]) -> frozenset[Acl]:
        """Return the effective rights of this connection on some topics and on the cluster.

        They include rights of super users and wildcards, and all rights if there is no authorizer.
        ``principal`` only names them in the result.
        """
        with translated("reading our own rights", self.broker.names):
            answer = (await self.send(DescribeOwnRights(topics))).to_object()
        found = [(Resource.TOPIC, one["topic"], one) for one in answer["topics"]]
        return frozenset(
            Acl(principal, operation, resource, name)
            for resource, name, described in [*found, (Resource.CLUSTER, CLUSTER, answer)]
            for operation in _operations(described["authorized_operations"])
        )

    async def _settings(self, topics: Sequence[KafkaTopic]) -> dict[str, dict[str, str]]:
        if not topics:
            return {}
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(topic.settings))
            for topic in topics
        ]
        answers = await self.client.describe_configs(resources)
        return settings_of(one for answer in answers for one in answer.resources)

    async def send(self, request: Request[Any]) -> Any:
        """Send a request that the library has no call for, and return the response."""
        return await self.client._send_request(request)  # noqa: SLF001 - no public call


def settings_of(described: Iterable[Sequence[Any]]) -> dict[str, dict[str, str]]:
    """Return the settings of each described topic; raise a broker's error.

    A topic that the answering broker does not know yet counts as absent: brokers follow their
    controller with a delay.
    """
    found: dict[str, dict[str, str]] = {}
    for code, message, _, name, entries in described:
        if code == UnknownTopicOrPartitionError.errno:
            continue
        check(code, f"{name}: {message}")
        found[name] = {setting: value or "" for setting, value, *_ in entries}
    return found


def _topic(
    name: str, partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str]
) -> KafkaTopic:
    copies = min((len(partition["replicas"]) for partition in partitions), default=0)
    return KafkaTopic(name, len(partitions), copies, settings)


def _operations(bits: int) -> Iterable[Operation]:
    """Decode a bit field of operations; a negative one means unknown."""
    return [operation for operation in Operation if bits > 0 and bits >> operation & 1]


def check(code: int, message: str | None) -> None:
    """Raise a broker's error unless the code is 0."""
    if code:
        raise for_code(code)(message or "")

"""Reads and changes topics and rights on Kafka; checks every answer's error code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import SecurityDisabled, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.metadata import MetadataRequest

from streams.kafka.access import CLUSTER, Acl, Operation, Pattern, Resource
from streams.kafka.broker import REQUEST_MS_MAX, Broker
from streams.kafka.errors import KafkaMisconfiguredError, KafkaUnreachableError
from streams.kafka.handshake import diagnose_tls
from streams.kafka.requests import (
    CreateAcls,
    DeleteAcls,
    DescribeAllowing,
    DescribeOwnRights,
    SetTopicSettings,
)
from streams.kafka.topics import KafkaTopic
from streams.kafka.translation import translated


class KafkaUnprotectedError(KafkaMisconfiguredError):
    """The broker has no authorizer: whoever reaches it may do anything."""


class Admin:
    """An administrator's connection; every method raises ``KafkaBusError``."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._client = AIOKafkaAdminClient(
            bootstrap_servers=broker.servers.split(","),
            client_id=broker.client,
            request_timeout_ms=REQUEST_MS_MAX,
            security_protocol="SSL" if broker.tls else "PLAINTEXT",
            ssl_context=broker.tls.context() if broker.tls else None,
        )

    async def __aenter__(self) -> Self:
        try:
            with translated("connecting", self._broker.names):
                await self._client.start()
        except KafkaUnreachableError:
            await diagnose_tls(self._broker)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def topics(self, wanted: Iterable[KafkaTopic]) -> dict[str, KafkaTopic]:
        """Return those of the wanted topics that are there, with the settings that were named."""
        with translated("reading topics", self._broker.names):
            answer = await self._send(MetadataRequest(None, allow_auto_topic_creation=False))
            there = {topic["topic"]: topic for topic in answer.to_object()["topics"]}
            known = [topic for topic in wanted if topic.name in there]
            settings = await self._settings(known)
        return {
            name: _topic(name, there[name]["partitions"], found) for name, found in settings.items()
        }

    async def create_topics(self, topics: Sequence[KafkaTopic]) -> None:
        """Create topics."""
        new = [
            NewTopic(one.name, one.partitions, one.copies, topic_configs=dict(one.settings))
            for one in topics
        ]
        with translated("creating topics", self._broker.names):
            answer = await self._client.create_topics(new)
            for name, code, message in answer.topic_errors:
                _check(code, f"{name}: {message}")

    async def alter_topics(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        """Set settings by topic and name; the others stay."""
        with translated("changing topics", self._broker.names):
            answer = await self._send(SetTopicSettings(settings))
            for code, message, _, name in answer.responses:
                _check(code, f"{name}: {message}")

    async def acls(self) -> frozenset[Acl]:
        """Return every right that is given.

        Raises ``KafkaUnprotectedError`` where rights do not exist.
        """
        with translated("reading rights", self._broker.names):
            answer = await self._send(DescribeAllowing())
            if answer.error_code == SecurityDisabled.errno:
                raise KafkaUnprotectedError(
                    "The broker has no authorizer, so whoever reaches it may do anything: set "
                    "authorizer.class.name on the brokers and start again."
                )
            _check(answer.error_code, answer.error_message)
        return frozenset(
            Acl(principal, Operation(operation), Resource(resource), name, Pattern(pattern), host)
            for resource, name, pattern, acls in answer.resources
            if resource in set(Resource)
            for principal, host, operation, _ in acls
        )

    async def own_acls(self, principal: str, topics: Iterable[str]) -> frozenset[Acl]:
        """Return all that this connection may do on some topics and on the cluster.

        They are told as rights of ``principal``, as whom we mean to speak; whichever rule gives
        them counts: a super user's, a wildcard's, or none because there is no authorizer.
        """
        with translated("asking for our own rights", self._broker.names):
            answer = (await self._send(DescribeOwnRights(topics))).to_object()
        found = [(Resource.TOPIC, one["topic"], one) for one in answer["topics"]]
        return frozenset(
            Acl(principal, operation, resource, name)
            for resource, name, told in [*found, (Resource.CLUSTER, CLUSTER, answer)]
            for operation in _operations(told["authorized_operations"])
        )

    async def create_acls(self, acls: Iterable[Acl]) -> None:
        """Give rights."""
        with translated("giving rights", self._broker.names):
            answer = await self._client._send_to_controller(CreateAcls(acls))  # noqa: SLF001 - no public call
            for code, message in answer.creation_responses:
                _check(code, message)

    async def delete_acls(self, acls: Iterable[Acl]) -> None:
        """Take rights away."""
        with translated("taking rights away", self._broker.names):
            answer = await self._client._send_to_controller(DeleteAcls(acls))  # noqa: SLF001 - no public call
            for code, message, matching in answer.filter_responses:
                _check(code, message)
                for inner, why, *_ in matching:
                    _check(inner, why)

    async def _settings(self, topics: Sequence[KafkaTopic]) -> dict[str, dict[str, str]]:
        if not topics:
            return {}
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(topic.settings))
            for topic in topics
        ]
        answers = await self._client.describe_configs(resources)
        return settings_of(one for answer in answers for one in answer.resources)

    async def _send(self, request: Request[Any]) -> Any:
        return await self._client._send_request(request)  # noqa: SLF001 - no public call


def settings_of(described: Iterable[Sequence[Any]]) -> dict[str, dict[str, str]]:
    """Return each described topic's settings; raise what a broker refused with.

    A broker that does not know a topic yet of which another one told lacks it: they follow their
    controller with a delay.
    """
    found: dict[str, dict[str, str]] = {}
    for code, message, _, name, entries in described:
        if code == UnknownTopicOrPartitionError.errno:
            continue
        _check(code, f"{name}: {message}")
        found[name] = {setting: value or "" for setting, value, *_ in entries}
    return found


def _topic(
    name: str, partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str]
) -> KafkaTopic:
    copies = min((len(partition["replicas"]) for partition in partitions), default=0)
    return KafkaTopic(name, len(partitions), copies, settings)


def _operations(bits: int) -> Iterable[Operation]:
    """Read a bit field of operations; a negative one was not told."""
    return [operation for operation in Operation if bits > 0 and bits >> operation & 1]


def _check(code: int, message: str | None) -> None:
    if code:
        raise for_code(code)(message or "")

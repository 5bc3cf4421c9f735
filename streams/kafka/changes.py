"""Changes of topics and rights; each error code is checked. Only provisioning loads this.

Requests that aiokafka lacks are built with its protocol layer (KIP-140, 339).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from streams.kafka.access import Acl
from streams.kafka.admin import Admin, check
from streams.kafka.requests import ALLOW
from streams.kafka.topics import KafkaTopic
from streams.kafka.translation import translated

_TOPIC, _SET = 2, 0


class ChangingAdmin(Admin):
    """A connection that may also change topics and rights."""

    async def create_topics(self, topics: Sequence[KafkaTopic]) -> None:
        """Create topics."""
        new = [
            NewTopic(one.name, one.partitions, one.copies, topic_configs=dict(one.settings))
            for one in topics
        ]
        with translated("creating topics", self.broker.names):
            answer = await self.client.create_topics(new)
            for name, code, message in answer.topic_errors:
                check(code, f"{name}: {message}")

    async def alter_topics(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        """Change settings, by topic and name; others keep their values."""
        with translated("changing topics", self.broker.names):
            answer = await self.send(SetTopicSettings(settings))
            for code, message, _, name in answer.responses:
                check(code, f"{name}: {message}")

    async def create_acls(self, acls: Iterable[Acl]) -> None:
        """Add rights."""
        with translated("adding rights", self.broker.names):
            answer = await self.client._send_to_controller(CreateAcls(acls))  # noqa: SLF001 - no public call
            for code, message in answer.creation_responses:
                check(code, message)

    async def delete_acls(self, acls: Iterable[Acl]) -> None:
        """Remove rights."""
        with translated("removing rights", self.broker.names):
            answer = await self.client._send_to_controller(DeleteAcls(acls))  # noqa: SLF001 - no public call
            for code, message, matching in answer.filter_responses:
                check(code, message)
                for inner, why, *_ in matching:
                    check(inner, why)


class _SetResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _SetRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _SetResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class SetTopicSettings(Request[_SetRequest]):  # type: ignore[misc]
    """Change some settings of topics (IncrementalAlterConfigs); AlterConfigs resets the others."""

    API_KEY = 44

    def __init__(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        """Take the new values, by topic and name."""
        self._resources = [
            (_TOPIC, topic, [(name, _SET, value) for name, value in changed.items()])
            for topic, changed in settings.items()
        ]

    def build(self, struct: type[_SetRequest]) -> _SetRequest:
        """Return the request."""
        return struct(self._resources, False)  # noqa: FBT003 - Kafka's validate_only


class CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    """Add ACLs."""

    API_KEY = 30

    def __init__(self, acls: Iterable[Acl]) -> None:
        self._acls = [_row(acl) for acl in acls]

    def build(self, struct: type[Any]) -> Any:
        """Return the request."""
        return struct(self._acls)


class DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    """Remove ACLs: each filter matches exactly one."""

    API_KEY = 31

    def __init__(self, acls: Iterable[Acl]) -> None:
        self._acls = [_row(acl) for acl in acls]

    def build(self, struct: type[Any]) -> Any:
        """Return the request."""
        return struct(self._acls)


def _row(acl: Acl) -> tuple[Any, ...]:
    resource = (int(acl.resource), acl.name, int(acl.pattern))
    return (*resource, acl.principal, acl.host, int(acl.operation), ALLOW)

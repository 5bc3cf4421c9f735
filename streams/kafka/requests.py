"""Admin requests that aiokafka lacks, built with its protocol layer (KIP-140, 339, 430)."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

from streams.kafka.access import Acl

_ANY, _ALLOW, _TOPIC, _SET = 1, 3, 2, 0


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


class _RightsResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("authorized_operations", Int32),
    )


class _RightsRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _RightsResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class DescribeOwnRights(Request[_RightsRequest]):  # type: ignore[misc]
    """Read our effective rights on some topics and on the cluster (KIP-430)."""

    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = list(topics)

    def build(self, struct: type[_RightsRequest]) -> _RightsRequest:
        """Return the request."""
        return struct(self._topics, False, True, True)  # noqa: FBT003 - Kafka's own order


class DescribeAllowing(Request[DescribeAclsRequest_v1]):  # type: ignore[misc]
    """Read all ACLs that allow something."""

    API_KEY = 29

    def build(self, struct: type[Any]) -> Any:
        """Return the request."""
        return struct(_ANY, None, _ANY, None, None, _ANY, _ALLOW)


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
    return (*resource, acl.principal, acl.host, int(acl.operation), _ALLOW)

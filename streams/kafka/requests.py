"""Requests for rights that aiokafka lacks, built with its protocol layer (KIP-140, 430)."""

from collections.abc import Iterable
from typing import Any

from aiokafka.protocol.admin import DescribeAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

ANY, ALLOW = 1, 3


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
        return struct(ANY, None, ANY, None, None, ANY, ALLOW)

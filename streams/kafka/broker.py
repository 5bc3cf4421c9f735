"""Kafka connections: the only module that sets aiokafka's options.

Two options carry promises. Consumers read committed records only, so no reader acts on a
transaction that is aborted later. Producers wait for all in-sync replicas (``acks=all``) and are
idempotent, so an acknowledged record survives the loss of a broker, and no retry appends it twice.
"""

import asyncio
import secrets
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.producer import sender

from schemas.topics import INTERNAL_BYTES_MAX, TOPICS
from streams.kafka.names import Names

Offsets: TypeAlias = dict[TopicPartition, int]
# Longest message, with key, headers and framing.
MESSAGE_BYTES_MAX = INTERNAL_BYTES_MAX + 64 * 1024
REQUEST_MS_MAX = 10_000
TRANSACTION_MS_MAX = 10_000
# Shortest and longest wait after a failed request or connection. Each client draws its own, so that
# the clients of lost brokers do not return together; aiokafka does not vary it. With 5 ms a process
# without brokers tried to connect hundreds of times a second and used a third of a core. Readers go
# on while the brokers are lost. A producer gives up after REQUEST_MS_MAX, and its wait delays
# intents.
READER_RETRY_MS = (800, 1_200)
PRODUCER_RETRY_MS = (80, 120)
FETCH_WAIT_MS = 100
FETCH_BYTES_MAX = 16 * 1024 * 1024
# With aiokafka's 16 KiB a dozen records fill a batch, and sending more waits for its answer.
# A broker limits a batch like one message, so it must fit the topic with the smallest limit.
BATCH_BYTES_MAX = min(spec.value_bytes_max for spec in TOPICS.values())

# aiokafka retries after this time (s) while the broker still completes the transaction before. Its
# default of 20 ms would be most of the latency of a signer that commits twice per batch.
sender.BACKOFF_OVERRIDE = 0.002


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> Offsets:
        """Return the first offset of each partition."""
        await self._load_topics(partitions)
        found: Offsets = await super().beginning_offsets(partitions)
        return found

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> Offsets:
        """Return the offset after the last committed record of each partition."""
        await self._load_topics(partitions)
        found: Offsets = await super().end_offsets(partitions)
        return found

    async def offsets_for_times(self, timestamps: dict[TopicPartition, int]) -> dict[Any, Any]:
        """Return offset and time of the first record at or after a time of each partition."""
        await self._load_topics(timestamps)
        found: dict[Any, Any] = await super().offsets_for_times(timestamps)
        return found

    async def _load_topics(self, partitions: Iterable[TopicPartition]) -> None:
        """Load the metadata of all topics together: aiokafka loads one, waits, and tries again."""
        leader = self._client.cluster.leader_for_partition
        if unknown := {at.topic for at in partitions if leader(at) is None}:
            known = self._client._topics  # noqa: SLF001 - there is no public way
            await self._client.set_topics(known | unknown)

    async def stop(self) -> None:
        """Stop, without the ``CancelledError`` that aiokafka leaks from its own fetches.

        It would replace the error behind which the caller cleans up, and look like a regular stop.
        """
        try:
            await super().stop()
        except asyncio.CancelledError:
            # A real cancellation of the caller is passed on.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            await self._close_rest()

    async def _close_rest(self) -> None:
        """Finish what aiokafka's ``stop`` skipped after the error."""
        fetches = list(self._fetcher._pending_tasks)  # noqa: SLF001 - there is no public way
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        await self._client.close()


def retry_ms(bounds: tuple[int, int]) -> int:
    """Return the wait of one client, drawn between its shortest and its longest."""
    shortest, longest = bounds
    return shortest + secrets.randbelow(longest - shortest + 1)


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: CA, client certificate and client key."""

    ca: Path
    certificate: Path
    key: Path

    def usable(self) -> bool:
        """Return whether the files exist and the key belongs to the certificate."""
        try:
            self.context()
        except OSError:  # also what OpenSSL raises
            return False
        return True

    def context(self) -> ssl.SSLContext:
        """Return a context that verifies the broker and sends the certificate (TLS 1.3)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Broker:
    """The brokers' addresses (``host:port,…``), the client's name and identity, and the prefix.

    Pass groups and transactional ids without the prefix; ``names`` gives topics theirs.
    """

    servers: str
    client: str
    tls: Tls | None = None
    names: Names = field(default_factory=Names)

    def consumer(self, *, group_id: str | None = None, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer of committed records that never commits offsets automatically."""
        settings: dict[str, Any] = {
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            # A position outside the log is an error (KafkaGapError), never skipped silently.
            "auto_offset_reset": "none",
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "fetch_max_bytes": FETCH_BYTES_MAX,
            "max_partition_fetch_bytes": 2 * MESSAGE_BYTES_MAX,
            "group_id": self._named(group_id),
            "retry_backoff_ms": retry_ms(READER_RETRY_MS),
        }
        return _Consumer(**self._common(), **(settings | options))

    def producer(self, *, transactional_id: str | None = None, **options: Any) -> AIOKafkaProducer:
        """Return an idempotent producer; with ``transactional_id`` a transactional one."""
        settings: dict[str, Any] = {
            "acks": "all",
            "enable_idempotence": True,
            "max_request_size": MESSAGE_BYTES_MAX,
            "max_batch_size": BATCH_BYTES_MAX,
            "transaction_timeout_ms": TRANSACTION_MS_MAX,
            "transactional_id": self._named(transactional_id),
            "retry_backoff_ms": retry_ms(PRODUCER_RETRY_MS),
        }
        return AIOKafkaProducer(**self._common(), **(settings | options))

    def metadata_client(self, request_ms_max: int) -> AIOKafkaClient:
        """Return a client that only asks for metadata; a node has ``request_ms_max`` to answer."""
        return AIOKafkaClient(**(self._common() | {"request_timeout_ms": request_ms_max}))

    def _named(self, name: str | None) -> str | None:
        return None if name is None else self.names.of(name)

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.servers.split(","),
            "client_id": self.client,
            "request_timeout_ms": REQUEST_MS_MAX,
            "security_protocol": "SSL" if self.tls else "PLAINTEXT",
            "ssl_context": self.tls.context() if self.tls else None,
        }

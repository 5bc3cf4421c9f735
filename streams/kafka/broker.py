"""How to reach Kafka: the one place that knows aiokafka's options."""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.producer import sender

from schemas.topics import INTERNAL_BYTES_MAX, TOPICS
from streams.kafka.names import Names

# A message is at most this long with its key, headers and framing.
MESSAGE_BYTES_MAX = INTERNAL_BYTES_MAX + 64 * 1024
REQUEST_MS_MAX = 10_000
TRANSACTION_MS_MAX = 10_000
RETRY_MS = 5  # aiokafka's 100 ms makes a tail of 100 to 200 ms
FETCH_WAIT_MS = 100
FETCH_BYTES_MAX = 16 * 1024 * 1024
# With aiokafka's 16 KiB a dozen records fill a batch, and whoever sends more waits for its answer.
# A broker takes a batch for one message: it must fit into the topic that allows the least.
BATCH_BYTES_MAX = min(spec.value_bytes_max for spec in TOPICS.values())

# Between two transactions aiokafka waits this long for the first to end; its 20 ms is most of the
# latency of a signer that commits twice per batch.
sender.BACKOFF_OVERRIDE = 0.002


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    async def stop(self) -> None:
        """Stop; aiokafka cancels its fetches and lets that out as if the caller were cancelled.

        Whoever cleans up behind an error would lose it so, and seem to have been asked to end.
        """
        try:
            await super().stop()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            await self._close_rest()

    async def _close_rest(self) -> None:
        """Do what aiokafka left undone."""
        fetches = list(self._fetcher._pending_tasks)  # noqa: SLF001 - there is no public way
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        await self._client.close()


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: who we are, and whom we believe."""

    ca: Path
    certificate: Path
    key: Path

    def usable(self) -> bool:
        """Tell whether the files are there and belong together."""
        try:
            self.context()
        except OSError:  # also what OpenSSL raises
            return False
        return True

    def context(self) -> ssl.SSLContext:
        """Return a context that verifies the broker and shows our certificate (TLS 1.3)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the brokers are (``host:port,…``), as whom to speak to them, and what names are there.

    Groups and transactional ids are given without the prefix; aiokafka's topics go by ``names``.
    """

    servers: str
    client: str
    tls: Tls | None = None
    names: Names = field(default_factory=Names)

    def consumer(self, *, group_id: str | None = None, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer of committed records that never moves positions by itself."""
        settings: dict[str, Any] = {
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "fetch_max_bytes": FETCH_BYTES_MAX,
            "max_partition_fetch_bytes": 2 * MESSAGE_BYTES_MAX,
            "group_id": self._named(group_id),
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
        }
        return AIOKafkaProducer(**self._common(), **(settings | options))

    def _named(self, name: str | None) -> str | None:
        return None if name is None else self.names.of(name)

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.servers.split(","),
            "client_id": self.client,
            "request_timeout_ms": REQUEST_MS_MAX,
            "retry_backoff_ms": RETRY_MS,
            "security_protocol": "SSL" if self.tls else "PLAINTEXT",
            "ssl_context": self.tls.context() if self.tls else None,
        }

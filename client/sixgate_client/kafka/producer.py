"""Producer: signs intents with an agent's key and appends them to the topic."""

import secrets
import time
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sixgate_client.errors import ConnectionFailedError, Json
from sixgate_client.kafka import wire
from sixgate_client.kafka.outcomes import Outcomes
from sixgate_client.kafka.wire import Receipt

EXPIRES_IN_S = 600.0
WAIT_S = 60.0
_DEFAULTS: dict[str, Json] = {
    "transaction": {"value_wei": 0, "data": "0x", "simulate_first": False},
}


class Producer:
    """Submits one agent's intents; use it in ``async with``.

    ``key_file`` is the agent's private key (PEM). ``kafka`` are options of ``AIOKafkaProducer``,
    such as ``ssl_context``.
    """

    def __init__(
        self,
        brokers: str,
        key_file: str | Path,
        *,
        org: str,
        account: str,
        agent: str,
        prefix: str = "",
        **kafka: Any,
    ) -> None:
        key = load_pem_private_key(Path(key_file).read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{key_file} has no Ed25519 key")  # noqa: TRY004 - of the file
        self._key = key
        self._names = {"org": org, "account": account, "agent": agent}
        self._topic = prefix + wire.SUBMITTED
        # Acknowledged by all in-sync replicas; the broker drops what its retries repeat.
        options = {"acks": "all", "enable_idempotence": True} | kafka
        self._options = {"bootstrap_servers": brokers} | options
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(**self._options)
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise ConnectionFailedError(f"no broker answered: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def submit(
        self,
        kind: str = "transaction",
        *,
        idempotency_key: str | None = None,
        expires_at_ms: int | None = None,
        **fields: Any,
    ) -> Receipt:
        """Sign an intent and append it; ``fields`` are those of its kind (docs/format.md).

        Integers in wei, bytes, dictionaries of typed data and text of messages get their wire form.
        Raises ``ConnectionFailedError`` if it is unknown whether the intent was appended: submit it
        again with the same ``idempotency_key`` and ``expires_at_ms``, so that it is the same one.
        """
        key = idempotency_key or secrets.token_hex(16)
        expires_ms = expires_at_ms or int((time.time() + EXPIRES_IN_S) * 1000)
        terms = {"v": 1, "kind": kind, "idempotency_key": key, "expires_at_ms": expires_ms}
        content = wire.wire_form(_DEFAULTS.get(kind, {}) | fields | self._names | terms)
        body = wire.canonical(content)
        sealed = wire.envelope(body, content["agent"], self._key)
        account = content["account"]
        try:
            partitions = await self._producer.partitions_for(self._topic)
            at = wire.partition_of(account, len(partitions))
            sent = await self._producer.send_and_wait(self._topic, sealed, account.encode(), at)
        except KafkaError as error:
            failed = ConnectionFailedError(f"it is unknown whether the intent was sent: {error}")
            failed.idempotency_key = key
            raise failed from error
        return Receipt(
            wire.intent_digest(body),
            content,
            # Without the prefix: events carry the same names under every prefix.
            f"{wire.SUBMITTED}/{sent.partition}/{sent.offset}",
            wire.digest("sixgate/input/v1", sealed),
            idempotency_key is not None,
        )

    async def submit_and_wait(
        self, outcomes: Outcomes, kind: str = "transaction", **fields: Any
    ) -> wire.Outcome:
        """Submit an intent and return its end: signed, refused or unattributed.

        Raises ``UndecidedError`` if there is none within a minute; ``outcomes.wait`` waits longer.
        """
        return await outcomes.wait(await self.submit(kind, **fields), WAIT_S)

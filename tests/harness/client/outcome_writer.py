"""Writes what gates and signer would answer to the client's intents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sixgate_client.kafka import Receipt

from schemas.canonical import event_id
from schemas.intents.clearance import Unattributed
from schemas.intents.outcome import AnyOutcome, IntentRejected, MessageSigned, Signed
from schemas.intents.reasons import Gate, Reason
from schemas.ledger.audit import audited
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from streams.kafka.broker import Broker
from tests.harness.builders.cases import NOW_MS, RECIPIENT, SIGNER, intent, signed

COMMON = ("org", "account", "agent", "idempotency_key", "chain_id")


def agent_key_file(folder: Path, seed: bytes) -> Path:
    """Write an agent's private key as PEM."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    file = folder / "agent.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


def transaction(receipt: Receipt, **changes: Any) -> AnyOutcome:
    """Return the signed outcome of an intent."""
    names = {name: receipt.content[name] for name in (*COMMON, "key_path")}
    terms = {"intent": receipt.intent, "id": event_id("outcome", receipt.intent)}
    value = int(receipt.content["value_wei"])
    one = signed(intent(), transaction_hash="0x" + "22" * 32, raw_transaction="0x02f8")
    return one.model_copy(update=names | terms | {"value_wei": value, "to": RECIPIENT} | changes)


def message(receipt: Receipt) -> AnyOutcome:
    """Return the outcome of a message."""
    basis = transaction(receipt._replace(content=receipt.content | {"value_wei": "0"}))
    fields = {name: getattr(basis, name) for name in Signed.model_fields.keys() - {"signature"}}
    return MessageSigned(
        **fields,
        kind="personal_sign",
        signed_digest="0x" + "33" * 32,
        message_signature="0x" + "44" * 65,
    )


def rejection(receipt: Receipt, reason: Reason = Reason.VALUE_TOO_HIGH) -> AnyOutcome:
    """Return the refusal of an intent."""
    return IntentRejected(
        **{name: receipt.content[name] for name in COMMON},
        intent=receipt.intent,
        id=event_id("outcome", receipt.intent),
        signer=SIGNER.keyid,
        sequence=1,
        decided_at_ms=NOW_MS,
        gate=Gate.VALUE_CAP,
        reason=reason,
        detail="1 ETH is over the cap",
    )


def unattributed(receipt: Receipt, place: str | None = None) -> Outgoing:
    """Return the gates' record that a submitted record is no authenticated intent."""
    event = Unattributed(
        id=event_id(Topic.UNATTRIBUTED, place or receipt.place),
        at_ms=NOW_MS,
        input_digest=receipt.input_digest,
        size_bytes=1,
        reason=Reason.AGENT_UNKNOWN,
        detail="no such agent",
    )
    return Outgoing(Topic.UNATTRIBUTED, "", event.encode())


def duplicate(receipt: Receipt, first: Receipt) -> Outgoing:
    """Return the signer's record that an intent shares the outcome of another."""
    actor = SIGNER.keyid
    return audited(
        "intent.duplicate", receipt.place, receipt.intent, first.intent, actor=actor, at_ms=NOW_MS
    )


class OutcomeWriter:
    """Appends events to a broker's topics."""

    def __init__(self, broker: Broker, producer: AIOKafkaProducer) -> None:
        self._broker = broker
        self._producer = producer

    async def write(self, outcome: AnyOutcome, by: Ed25519Signer = SIGNER) -> None:
        """Append a signed outcome to its topics."""
        for topic in (Topic.OUTCOMES, Topic.SIGNED):
            await self.append(Outgoing(topic, outcome.account, by.sign_event(outcome)))

    async def append(self, event: Outgoing) -> None:
        """Append an event; aiokafka's partitioner is Java's, independent of ours."""
        name = self._broker.names.of(event.topic)
        await self._producer.send_and_wait(name, event.value, event.key.encode() or None)


@asynccontextmanager
async def outcome_writer(broker: Broker) -> AsyncIterator[OutcomeWriter]:
    """Connect a writer."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.servers)
    await producer.start()
    try:
        yield OutcomeWriter(broker, producer)
    finally:
        await producer.stop()

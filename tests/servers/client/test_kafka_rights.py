"""The rights of producers and consumers suffice, on a broker that denies by default."""

import asyncio
from pathlib import Path
from typing import Any

from sixgate_client.kafka import Outcomes, Producer

from schemas.record import Outgoing
from schemas.topics import Principal, Topic
from streams.kafka.broker import Broker, Tls
from streams.kafka.provision import AccessPlan, TopicPlan
from streams.kafka.topics import Replication
from tests.harness.broker.servers import SecureKafka
from tests.harness.builders.cases import ACCOUNT, AGENT, BASE, KEY_PATH, ORG, RECIPIENT, SIGNER
from tests.harness.client.outcome_writer import agent_key_file, rejection, unattributed

PAY: dict[str, Any] = {"chain_id": BASE, "to": RECIPIENT, "value_wei": 1, "key_path": KEY_PATH}
# The broker is shared with other files, and the number of partitions cannot be changed.
PLAN = TopicPlan(1, Replication(1, 1))


def tls(secure: SecureKafka, name: str) -> Tls:
    identity = secure.authority.issue(name)
    return Tls(secure.authority.file, identity, identity)


def options(secure: SecureKafka, name: str) -> dict[str, Any]:
    return {"security_protocol": "SSL", "ssl_context": tls(secure, name).context()}


def test_a_refused_and_an_unattributed_intent_end_the_wait(
    secure_kafka: SecureKafka, tmp_path: Path
) -> None:
    address = secure_kafka.kafka.address
    admin = Tls(secure_kafka.authority.file, secure_kafka.admin, secure_kafka.admin)
    asyncio.run(PLAN.apply(Broker(address, "admin", admin)))
    asyncio.run(AccessPlan().apply(Broker(address, "admin", admin)))
    signer = Broker(address, "signer", tls(secure_kafka, Principal.SIGNER))
    gates = Broker(address, "gates", tls(secure_kafka, Principal.GATES))
    names: dict[str, Any] = {"org": ORG, "account": ACCOUNT, "agent": AGENT}

    async def test() -> list[str]:
        consumers = options(secure_kafka, Principal.CONSUMERS)
        producers = options(secure_kafka, Principal.PRODUCERS)
        key = agent_key_file(tmp_path, b"a" * 32)
        async with (
            Outcomes(address, [SIGNER.public_key], account=ACCOUNT, **consumers) as outcomes,
            Producer(address, key, **names, **producers) as producer,
        ):
            first, second = [await producer.submit(**PAY) for _ in range(2)]
            event = SIGNER.sign_event(rejection(first))
            await append(signer, Outgoing(Topic.OUTCOMES, ACCOUNT, event))
            await append(gates, unattributed(second))
            return [(await outcomes.wait(receipt)).state for receipt in (first, second)]

    assert asyncio.run(test()) == ["refused", "unattributed"]


async def append(broker: Broker, event: Outgoing) -> None:
    producer = broker.producer()
    try:
        await producer.start()
        await producer.send_and_wait(event.topic, event.value, event.key.encode() or None)
    finally:
        await producer.stop()

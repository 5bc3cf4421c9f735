"""``Producer`` and ``Outcomes`` on a real broker: every end of an intent ends the wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sixgate_client import ConnectionFailedError
from sixgate_client.kafka import Outcome, Outcomes, Producer, Receipt, UndecidedError, follow

from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import EXPIRY_MS_MAX, TransactionIntent, decode_intent, intent_digest
from schemas.intents.reasons import Reason
from schemas.partition import well_routed
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.signatures import open_envelope
from streams.kafka.broker import Broker
from streams.kafka.reader import replay
from tests.harness.broker.ledger_kafka import PARTITIONS, own_topics
from tests.harness.builders.cases import (
    ACCOUNT,
    AGENT,
    ALICE,
    BASE,
    KEY_PATH,
    MALLORY,
    ORG,
    RECIPIENT,
    SIGNER,
)
from tests.harness.client.outcome_writer import (
    OutcomeWriter,
    agent_key_file,
    duplicate,
    message,
    outcome_writer,
    rejection,
    transaction,
    unattributed,
)

PAY: dict[str, Any] = {"chain_id": BASE, "to": RECIPIENT, "value_wei": 7, "key_path": KEY_PATH}
HELLO: dict[str, Any] = {"chain_id": BASE, "message": "hello", "key_path": KEY_PATH}
SHORT_S = 2.0  # of a wait that must end without an outcome


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with own_topics() as broker:
        yield broker


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agent_key_file(tmp_path_factory.mktemp("agent"), b"a" * 32)


@dataclass
class Wire:
    """A producer, its outcomes, and the other end of the topics."""

    broker: Broker
    producer: Producer
    outcomes: Outcomes
    there: OutcomeWriter


def outcomes_of(broker: Broker, *keys: str) -> Outcomes:
    trusted = keys or (SIGNER.public_key,)
    return Outcomes(broker.servers, trusted, account=ACCOUNT, prefix=broker.names.prefix)


@asynccontextmanager
async def connected(broker: Broker, key_file: Path) -> AsyncIterator[Wire]:
    names: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "agent": AGENT,
        "prefix": broker.names.prefix,
    }
    async with (
        outcomes_of(broker) as outcomes,
        Producer(broker.servers, key_file, **names) as producer,
        outcome_writer(broker) as there,
    ):
        yield Wire(broker, producer, outcomes, there)


@pytest.fixture
def use(broker: Broker, key_file: Path) -> Callable[[Callable[[Wire], Awaitable[Any]]], Any]:
    """Return a function that runs a test's coroutine with connections of its own."""

    def run(test: Callable[[Wire], Awaitable[Any]]) -> Any:
        async def connect() -> Any:
            async with connected(broker, key_file) as wire:
                return await test(wire)

        return asyncio.run(connect())

    return run


Use = Callable[[Callable[[Wire], Awaitable[Any]]], Any]


async def submitted(wire: Wire) -> list[Record]:
    partitions = [(Topic.SUBMITTED, number) for number in range(PARTITIONS)]
    return [record async for record in replay(wire.broker, partitions)]


def test_an_intent_arrives_signed_in_its_accounts_partition(use: Use) -> None:
    async def test(wire: Wire) -> tuple[Receipt, Record]:
        receipt = await wire.producer.submit(**PAY)
        return receipt, max(await submitted(wire), key=lambda record: record.at_ms)

    receipt, record = use(test)
    assert well_routed(record, ACCOUNT, PARTITIONS)
    assert receipt.place == f"intents.submitted/{record.partition}/{record.offset}"
    body = open_envelope(Envelope.decode(record.value), INTENT_TYPE, ALICE.public_key)
    read = decode_intent(body)
    assert isinstance(read, TransactionIntent)
    assert (read.value_wei, read.org, read.agent) == (7, ORG, AGENT)
    assert 0 < read.expires_at_ms - time.time() * 1000 < EXPIRY_MS_MAX


def test_a_signed_intent_ends_the_wait(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(**PAY)
        await wire.there.write(transaction(receipt))
        return await wire.outcomes.wait(receipt)

    found = use(test)
    assert (found.state, found.raw, found.duplicate) == ("signed", "0x02f8", False)


def test_an_outcome_that_arrives_while_waiting_ends_the_wait(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        receipts = [await wire.producer.submit(**PAY) for _ in range(3)]
        waits = [asyncio.create_task(wire.outcomes.wait(receipt)) for receipt in receipts]
        for receipt in reversed(receipts):
            await wire.there.write(transaction(receipt))
        found = await asyncio.gather(*waits)
        assert [one.event["intent"] for one in found] == [one.intent for one in receipts]
        return found[0]

    assert use(test).state == "signed"


def test_a_refused_intent_ends_the_wait(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(**PAY)
        await wire.there.write(rejection(receipt))
        return await wire.outcomes.wait(receipt)

    found = use(test)
    assert (found.state, found.reason, found.raw) == ("refused", "value_too_high", None)
    assert found.detail == "1 ETH is over the cap"


def test_an_unattributed_intent_ends_the_wait(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(**PAY)
        # A copy of our record at another place was refused: that does not end our wait.
        await wire.there.append(unattributed(receipt, "intents.submitted/0/99999"))
        await wire.there.append(unattributed(receipt))
        return await wire.outcomes.wait(receipt)

    found = use(test)
    assert (found.state, found.reason) == ("unattributed", "agent_unknown")


def test_only_a_trusted_signers_outcome_ends_the_wait(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(**PAY)
        await wire.there.write(transaction(receipt, raw_transaction="0xbad0"), by=MALLORY)
        await wire.there.append(Outgoing(Topic.OUTCOMES, ACCOUNT, b"not JSON"))
        await wire.there.write(transaction(receipt))
        return await wire.outcomes.wait(receipt)

    assert use(test).raw == "0x02f8"


def test_the_same_intent_again_returns_its_first_end(use: Use) -> None:
    again: dict[str, Any] = {
        "idempotency_key": "same-1",
        "expires_at_ms": int(time.time() * 1000) + 60_000,
        **PAY,
    }

    async def test(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(**again)
        await wire.there.write(transaction(receipt))
        assert not (await wire.outcomes.wait(receipt)).duplicate
        return await wire.outcomes.wait(await wire.producer.submit(**again))

    assert use(test).duplicate

    async def restarted(wire: Wire) -> Outcome:
        return await wire.outcomes.wait(await wire.producer.submit(**again))

    found = use(restarted)
    assert (found.state, found.duplicate) == ("signed", True)


def test_the_same_request_with_another_expiry_returns_the_first_end(use: Use) -> None:
    async def first(wire: Wire) -> None:
        receipt = await wire.producer.submit(idempotency_key="same-2", **PAY)
        await wire.there.write(transaction(receipt))

    async def again(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(idempotency_key="same-2", **PAY)
        return await wire.outcomes.wait(receipt)

    use(first)
    assert use(again).duplicate


@pytest.mark.parametrize("restart", [False, True])
def test_a_repeated_message_returns_the_end_that_the_signer_names(
    use: Use,
    restart: bool,  # noqa: FBT001 - a parameter
) -> None:
    key = f"message-{restart}"
    firsts: list[Receipt] = []

    async def first(wire: Wire) -> None:
        firsts.append(await wire.producer.submit("personal_sign", idempotency_key=key, **HELLO))
        await wire.there.write(message(firsts[0]))

    async def again(wire: Wire) -> Outcome:
        if not restart:
            await first(wire)
        receipt = await wire.producer.submit("personal_sign", idempotency_key=key, **HELLO)
        waiting = asyncio.create_task(wire.outcomes.wait(receipt))
        await wire.there.append(duplicate(receipt, firsts[0]))
        return await waiting

    if restart:
        use(first)
    found = use(again)
    assert (found.duplicate, found.event["intent"]) == (True, firsts[0].intent)


def test_another_request_with_the_key_ends_with_its_own_refusal(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        first = await wire.producer.submit(idempotency_key="mine-1", **PAY)
        await wire.there.write(transaction(first))
        other = await wire.producer.submit(idempotency_key="mine-1", **(PAY | {"value_wei": 8}))
        await wire.there.write(rejection(other, Reason.IDEMPOTENCY_CONFLICT))
        return await wire.outcomes.wait(other)

    found = use(test)
    assert (found.reason, found.duplicate) == ("idempotency_conflict", False)


def test_without_an_end_the_wait_ends_and_names_the_first_one(use: Use) -> None:
    async def test(wire: Wire) -> UndecidedError:
        first = await wire.producer.submit("personal_sign", idempotency_key="mine-2", **HELLO)
        await wire.there.write(message(first))
        other = await wire.producer.submit("personal_sign", idempotency_key="mine-2", **HELLO)
        with pytest.raises(UndecidedError) as undecided:
            await wire.outcomes.wait(other, SHORT_S)
        assert undecided.value.first is not None
        assert undecided.value.first.event["intent"] == first.intent
        return undecided.value

    assert "An earlier intent" in str(use(test))


def test_a_failed_wait_can_be_repeated(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        receipt = await wire.producer.submit(**PAY)
        with pytest.raises(UndecidedError):
            await wire.outcomes.wait(receipt, 0.1)
        await wire.there.write(transaction(receipt))
        return await wire.outcomes.wait(receipt)

    assert use(test).state == "signed"


def test_submit_and_wait_is_one_call(use: Use) -> None:
    async def test(wire: Wire) -> Outcome:
        known = {record.value for record in await submitted(wire)}
        calling = asyncio.create_task(wire.producer.submit_and_wait(wire.outcomes, **PAY))
        while not (new := [one for one in await submitted(wire) if one.value not in known]):
            pass
        body = Envelope.decode(new[0].value).body()
        content = decode_intent(body).plain()
        receipt = Receipt(intent_digest(body), content, "", "", repeats=False)
        await wire.there.write(rejection(receipt))
        return await calling

    assert use(test).state == "refused"


def test_signed_outcomes_are_followed_from_the_groups_position(use: Use, broker: Broker) -> None:
    async def test(wire: Wire) -> None:
        receipts = [await wire.producer.submit(**PAY) for _ in range(2)]
        await wire.there.write(transaction(receipts[0]), by=MALLORY)
        for receipt in receipts:
            await wire.there.write(transaction(receipt))
        wanted = [receipt.intent for receipt in receipts]
        following = follow(
            broker.servers,
            [SIGNER.public_key],
            group="sixgate-consumers-1",
            prefix=broker.names.prefix,
        )
        found: list[str] = []
        async for outcome in following:
            found.append(outcome.event["intent"])
            if found[-2:] == wanted:
                break
        await following.aclose()

    use(test)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # aiokafka's own, of a failed start
def test_without_a_broker_there_is_one_error(key_file: Path) -> None:
    names: dict[str, Any] = {"org": ORG, "account": ACCOUNT, "agent": AGENT}

    async def test() -> None:
        with pytest.raises(ConnectionFailedError, match="no broker"):
            async with Producer("127.0.0.1:9", key_file, **names):
                pass
        with pytest.raises(ConnectionFailedError, match="no broker"):
            async with Outcomes("127.0.0.1:9", [], account=ACCOUNT):
                pass

    asyncio.run(test())

"""Somebody who may write to every topic: what such a one would send, each kind by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.clearance import Clearance, Gate, Verdict
from schemas.dsse import Envelope
from schemas.intent import intent_digest
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from signer.signatures import Ed25519Signer
from tests.support.embedded import ACCOUNT, STRANGER, Producer

BETWEEN_GATES = (
    Topic.ADMITTED,
    Topic.ALLOWLISTED,
    Topic.CAPPED,
    Topic.WITHIN_LIMIT,
    Topic.CHAIN_CLEARED,
)


class Message(NamedTuple):
    """A record as raw as Kafka takes it; without a partition it goes where its key belongs."""

    topic: Topic
    key: bytes
    value: bytes | None
    partition: int | None = None


def cleared(envelope: bytes, passed: tuple[Gate, ...] = tuple(Gate)) -> bytes:
    """Return a clearance that says an intent passed some gates."""
    opened = Envelope.decode(envelope)
    name = intent_digest(opened.body())
    verdicts = tuple(Verdict(gate=gate, at_ms=1, passed=True) for gate in passed)
    return Clearance(id=name, intent=name, envelope=opened, verdicts=verdicts).encode()


@dataclass
class Attacker:
    """Holds no key but its own, and everything that ever lay on a topic."""

    trader: Producer
    own: Producer

    def __post_init__(self) -> None:
        sign = self.trader.signed
        self.good = [sign(f"good-{n}") for n in range(20)]
        self.against = [
            sign("stranger", to=STRANGER),
            sign("much", value_wei=2 * 10**18),
            sign("chain", chain_id=1),
            sign("key", key_path="keys/other"),
            sign("simulated", simulate_first=True),
        ]
        self.forged = [self.own.signed(f"forged-{n}") for n in range(5)]
        self._altered = [_altered(raw) for raw in self.good]

    @property
    def authentic(self) -> list[bytes]:
        """Return every envelope that the agent really signed."""
        return [*self.good, *self.against]

    def messages(self, count: int) -> Iterator[Message]:
        """Yield hostile messages, all kinds in turn."""
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            yield kind(self, number // len(KINDS))


Kind: TypeAlias = Callable[[Attacker, int], Message]


def _decided(value: bytes | None, key: bytes = ACCOUNT.encode()) -> Message:
    return Message(Topic.DECIDED, key, value)


def _pick(values: list[bytes], number: int) -> bytes:
    return values[number % len(values)]


def never_admitted(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.against, number)))


def gates_left_out(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.against, number), ()))


def replayed(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.good, number)))


def forged_signature(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.forged, number)))


def altered_after_a_gate(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who._altered, number)))  # noqa: SLF001 - made once


def another_name(who: Attacker, number: int) -> Message:
    told = Clearance.decode(cleared(_pick(who.good, number)))
    other = Clearance.decode(cleared(_pick(who.good, number + 1)))
    return _decided(told.model_copy(update={"intent": other.intent}).encode())


def another_account(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.good, number)), b"other")


def wrong_partition(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.good, number)))._replace(partition=number % 4)


def garbage(_: Attacker, number: int) -> Message:
    return _decided(b"\x00garbage %d" % number)


def tombstone(_: Attacker, __: int) -> Message:
    return _decided(None)


def between_gates(who: Attacker, number: int) -> Message:
    topic = BETWEEN_GATES[number % len(BETWEEN_GATES)]
    return Message(topic, ACCOUNT.encode(), cleared(_pick(who.against, number), ()))


def huge(_: Attacker, number: int) -> Message:
    """Send 2 MiB now and then; the rest of the time something small."""
    size_bytes = INTERNAL_BYTES_MAX - 1_000 if number % 2_000 == 0 else 10
    return _decided(b"9" * size_bytes)


KINDS: tuple[Kind, ...] = (
    never_admitted,
    gates_left_out,
    replayed,
    forged_signature,
    altered_after_a_gate,
    another_name,
    another_account,
    wrong_partition,
    garbage,
    tombstone,
    between_gates,
    huge,
)


def _altered(envelope: bytes) -> bytes:
    """Return an envelope whose intent sends more, under the old signature."""
    opened = Envelope.decode(envelope)
    body = opened.body().replace(b'"value_wei":"1', b'"value_wei":"9', 1)
    assert body != opened.body()
    forger = Ed25519Signer("trader", b"f" * 32)
    resealed = forger.seal(opened.payload_type, body)
    return resealed.model_copy(update={"signatures": opened.signatures}).encode()

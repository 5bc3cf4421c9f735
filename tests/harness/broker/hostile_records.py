"""Hostile records: what an attacker with write access to every topic could send, by kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.dsse import SIMULATION_TYPE, Envelope
from schemas.intents.clearance import Clearance, Verdict
from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.intents.outcome import TransactionSigned
from schemas.intents.reasons import Gate, Reason
from schemas.intents.simulation import SimulationReport
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from signer.custody.event_signing import Ed25519Signer
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer

OTHER_ACCOUNT, OTHER_KEY_PATH = "other", "keys/theirs"
GAP_MS, REPORT_MS = 1_000, 60_000

BETWEEN_GATES = (
    Topic.ADMITTED,
    Topic.ALLOWLISTED,
    Topic.CAPPED,
    Topic.WITHIN_LIMIT,
    Topic.CHAIN_CLEARED,
)


class Message(NamedTuple):
    """A record as raw as Kafka takes it; without ``partition``, the key decides."""

    topic: Topic
    key: bytes
    value: bytes | None
    partition: int | None = None


PASSED = tuple(Verdict(gate=gate, at_ms=1, passed=True) for gate in Gate)
UNDER_AN_OLD_POLICY = tuple(one.model_copy(update={"policy": "0x" + "01" * 32}) for one in PASSED)
FLIPPED = tuple(
    Verdict(gate=gate, at_ms=1, passed=False, reason=Reason.VALUE_TOO_HIGH) for gate in Gate
)


def cleared(
    envelope: bytes, verdicts: tuple[Verdict, ...] = PASSED, report: Envelope | None = None
) -> bytes:
    """Return a clearance of an intent with the verdicts and report that an attacker chose."""
    opened = Envelope.decode(envelope)
    name = intent_digest(opened.body())
    clearance = Clearance(
        id=name, intent=name, envelope=opened, verdicts=verdicts, simulation=report
    )
    return clearance.encode()


@dataclass
class Attacker:
    """Has its own key only, and a copy of every record that was ever published."""

    trader: Producer
    own: Producer
    old_policy: bytes = b""  # a registry record that was replaced
    expired: tuple[bytes, ...] = ()  # intents that were signed and have expired

    def __post_init__(self) -> None:
        sign = self.trader.signed
        fees = {"gas_limit": 21_000, "max_fee_per_gas_wei": 10**9}
        fees["max_priority_fee_per_gas_wei"] = 10**6
        self.good = [sign(f"good-{n}", **(fees if n % 2 else {})) for n in range(20)]
        # Each of these two is sent by one kind of message only.
        self.flipped = [sign(f"flipped-{n}") for n in range(5)]
        self.unpriced = [sign(f"unpriced-{n}") for n in range(5)]
        self.against = [
            sign("stranger", to=STRANGER),
            sign("much", value_wei=2 * 10**18),
            sign("chain", chain_id=1),
            sign("key", key_path="keys/other"),
            sign("their-key", key_path=OTHER_KEY_PATH),
            sign("dear", **fees | {"max_fee_per_gas_wei": 10**14}),
            sign("simulated", simulate_first=True),
            sign("expired", expires_at_ms=self.trader.now_ms() - GAP_MS),
        ]
        self.forged = [self.own.signed(f"forged-{n}") for n in range(5)]
        self.elsewhere = sign("elsewhere", account=OTHER_ACCOUNT)
        self.altered = [_altered(raw, *change) for raw in self.good[1::2] for change in ALTERATIONS]
        self.reported = [
            _reported(raw, self.trader.now_ms()) for raw in [*self.unpriced, *self.against]
        ]
        self.outcomes = [_forged_outcome(raw) for raw in self.good]

    @property
    def authentic(self) -> list[bytes]:
        """Return every envelope that the agent really signed."""
        return [*self.good, *self.flipped, *self.unpriced, *self.against, *self.expired]

    def messages(self, count: int) -> Iterator[Message]:
        """Yield hostile messages, cycling through all kinds."""
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
    return _decided(cleared(_pick([*who.good, *who.expired], number)))


def verdicts_flipped(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.flipped, number), FLIPPED))


def old_verdicts(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.against, number), UNDER_AN_OLD_POLICY))


def old_policy_again(who: Attacker, _: int) -> Message:
    return Message(Topic.REGISTRY, b"", who.old_policy, 0)


def facts_altered(who: Attacker, number: int) -> Message:
    return _decided(_pick(who.reported, number))


def in_another_s_name(who: Attacker, _: int) -> Message:
    return _decided(cleared(who.elsewhere), OTHER_ACCOUNT.encode())


def forged_outcome(who: Attacker, number: int) -> Message:
    return Message(Topic.OUTCOMES, ACCOUNT.encode(), _pick(who.outcomes, number))


def submitted(who: Attacker, number: int) -> Message:
    values = [*who.forged, who.elsewhere, b"\x00garbage %d" % number, None]
    return Message(Topic.SUBMITTED, ACCOUNT.encode(), values[number % len(values)])


def forged_signature(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.forged, number)))


def altered_after_a_gate(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.altered, number)))


def another_name(who: Attacker, number: int) -> Message:
    clearance = Clearance.decode(cleared(_pick(who.good, number)))
    other = Clearance.decode(cleared(_pick(who.good, number + 1)))
    return _decided(clearance.model_copy(update={"intent": other.intent}).encode())


def another_account(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.good, number)), b"other")


def wrong_partition(who: Attacker, number: int) -> Message:
    return _decided(cleared(_pick(who.good, number)))._replace(partition=number % 4)


def garbage(_: Attacker, number: int) -> Message:
    return _decided(b"\x00garbage %d" % number)


def tombstone(_: Attacker, __: int) -> Message:
    return _decided(None)


def between_gates(who: Attacker, number: int) -> Message:
    """Send clearances without verdicts, and with so many that a gate cannot add one."""
    topic = BETWEEN_GATES[number % len(BETWEEN_GATES)]
    verdicts = () if number // len(BETWEEN_GATES) % 2 else (*PASSED, PASSED[0])
    return Message(topic, ACCOUNT.encode(), cleared(_pick(who.against, number), verdicts))


def huge(_: Attacker, number: int) -> Message:
    """Send 2 MiB every 2,000th time, else 10 bytes."""
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
    verdicts_flipped,
    old_verdicts,
    old_policy_again,
    facts_altered,
    in_another_s_name,
    forged_outcome,
    submitted,
    wrong_partition,
    garbage,
    tombstone,
    between_gates,
    huge,
)


ALTERATIONS = (
    (b'"value_wei":"1', b'"value_wei":"9'),
    (b'"max_fee_per_gas_wei":"1', b'"max_fee_per_gas_wei":"9'),
    (b'"data":"0x"', b'"data":"0xff"'),
)


def _altered(envelope: bytes, before: bytes, after: bytes) -> bytes:
    """Return an envelope with an altered intent and the old signature."""
    opened = Envelope.decode(envelope)
    body = opened.body().replace(before, after, 1)
    assert body != opened.body()
    resealed = FORGER.sign_envelope(opened.payload_type, body)
    return resealed.model_copy(update={"signatures": opened.signatures}).encode()


FORGER = Ed25519Signer("trader", b"f" * 32)


def _reported(envelope: bytes, now_ms: int) -> bytes:
    """Return a clearance with a forged simulation report: success, at a very high fee."""
    intent = TransactionIntent.decode(Envelope.decode(envelope).body())
    report = SimulationReport(
        simulator="simulator-0",
        intent=intent_digest(intent.encode()),
        chain_id=intent.chain_id,
        status="succeeded",
        simulated_at_ms=now_ms,
        expires_at_ms=now_ms + REPORT_MS,
        gas_limit=30_000_000,
        max_fee_per_gas_wei=10**12,
        max_priority_fee_per_gas_wei=10**12,
        pending_nonce=999,
    )
    forger = Ed25519Signer("simulator-0", b"f" * 32)
    return cleared(envelope, PASSED, forger.sign_envelope(SIMULATION_TYPE, report.encode()))


def _forged_outcome(envelope: bytes) -> bytes:
    """Return an outcome of an intent with a forged signature."""
    intent = TransactionIntent.decode(Envelope.decode(envelope).body())
    name = intent_digest(intent.encode())
    outcome = TransactionSigned(
        id=name,
        org=intent.org,
        account=intent.account,
        agent=intent.agent,
        intent=name,
        idempotency_key=intent.idempotency_key,
        sequence=1_000_000,
        decided_at_ms=intent.expires_at_ms - GAP_MS,
        signer="signer-0",
        chain_id=intent.chain_id,
        sender=STRANGER,
        to=STRANGER,
        value_wei=5 * 10**18,
        data="0x",
        nonce=0,
        gas_limit=21_000,
        max_fee_per_gas_wei=1,
        max_priority_fee_per_gas_wei=1,
        gas_from="intent",
        fees_from="intent",
        key_path=intent.key_path,
        key_version=1,
        spent_wei=5 * 10**18,
        day_spent_wei=5 * 10**18,
    )
    return FORGER.sign_event(outcome)

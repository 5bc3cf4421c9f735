"""CPU time per intent by part, and Faust's overhead."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from benchmarks.fixtures import AGENT, Peer
from benchmarks.kafka.accounts import signed_intents
from benchmarks.kafka.load import GATES_RELAY, LoadClient
from benchmarks.kafka.organisation import Organisation, cpu_s
from benchmarks.kafka.saturation import Saturation
from benchmarks.kafka.sizes import Sizes
from benchmarks.kafka.work import loaded_slot, one_hop, signed
from benchmarks.measure import MICRO, Figure
from schemas.intents.outcome import TransactionSigned, decode_outcome
from schemas.intents.reasons import Gate
from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.case import Case, run_rules
from signer.core.ethereum.signing import sign_transaction
from signer.core.ethereum.validation import ValidTransaction
from signer.core.rules.decision import Facts
from signer.core.signatures import verify
from signer.core.transactions import transaction_of
from signer.custody.event_signing import Ed25519Signer
from signer.stage.slot import Slot
from sixgate.clocks import wall_ms
from streams.clearances import ClearanceCache
from streams.gates.passage import IN_ORDER, GateProjections, Passage
from streams.gates.projection import Projection
from streams.gates.stages import GATE_OF, enter
from streams.kafka.projections import Projections
from streams.kafka.state import StateTable
from tools.local.processes import PARTITIONS
from tools.local.server import Server

PER_HOP_US_MAX = 60


class Costs(NamedTuple):
    """CPU seconds per intent; ``pure_s`` is everything except moving records."""

    rules_s: float
    signing_s: float
    pure_s: float


class Work:
    """The work of gates and signer on some intents, in one process and without Kafka."""

    def __init__(self, known: GateProjections, slot: Slot, table: StateTable) -> None:
        self._known = known
        self._slot = slot
        self._table = table
        self._projection = Projection(known.registry)
        self._clearances = ClearanceCache()
        self.passages: list[Passage] = []
        self.outcomes: list[TransactionSigned] = []

    def all(self, records: Sequence[Record]) -> None:
        """Pass intents through every gate, decide, sign, and fold the gates' projection."""
        for gate in GATE_OF.values():
            entered = [
                enter(gate, record, self._known, wall_ms(), self._clearances) for record in records
            ]
            self.passages = [one for one in entered if isinstance(one, Passage)]
            records = [
                as_record(one_hop(gate, one, self._known, self._clearances)) for one in entered
            ]
        events = signed(self._slot, self._table, records)
        values = [event.value for event in events if event.topic is Topic.OUTCOMES]
        for value in values:
            self._projection.apply(value)
        self.outcomes = [
            one for one in map(decode_outcome, values) if isinstance(one, TransactionSigned)
        ]

    def rules(self) -> None:
        """Run every rule once as a gate and once as the signer."""
        for passage in self.passages:
            known = passage.case
            account = self._slot.account(known.intent.account)
            facts = Facts.remembered(
                known.facts,
                owner=None,
                earlier=None,
                decided_before=False,
                has_marker=False,
                boot=None,
            )
            case = Case(known.intent, known.digest, known.policy, facts)
            list(run_rules(known, account, (gate.gate for gate in IN_ORDER)))
            list(run_rules(case, account, Gate))

    def sign(self) -> None:
        """Make both signatures of every outcome."""
        stage = self._slot.stage
        for outcome in self.outcomes:
            key = stage.keys.find(outcome.account, outcome.key_path)
            assert key
            sender = bytes.fromhex(outcome.sender[2:])
            opened = stage.key_use.open_key(key, AGENT, None)
            sign_transaction(ValidTransaction(transaction_of(outcome)), opened, sender)
            stage.identity.sign_event(outcome)


def figures(org: Organisation, sizes: Sizes, found: Saturation) -> Iterator[Figure]:
    """Yield one row per part of an intent's CPU time, and one for Faust."""
    costs, ours = asyncio.run(_costs(org, sizes)), found.ours
    peer = Peer()
    peer_us = _cpu_s(lambda: [peer() for _ in range(sizes.costed)]) / sizes.costed * MICRO
    both_s = ours.gates_s + ours.signer_s
    for what, share_s in (
        ("rules, in the gates and again in the signer", costs.rules_s),
        ("codec, identifiers, sealed state", costs.pure_s - costs.rules_s - costs.signing_s),
        ("signing: three verifications, two signatures", costs.signing_s),
        ("runner: Kafka's clients, Faust, event loops", both_s - costs.pure_s),
        ("total of gates and signer", both_s),
        ("broker, in addition", ours.broker_s),
    ):
        yield _figure(what, share_s * MICRO, peer_us)
    yield _faust(org, sizes)


def _figure(what: str, value_us: float, peer_us: float) -> Figure:
    peer, bound, holds = "eth-account, one signature", "no bound", True
    return Figure("CPU per intent", what, value_us, "µs", peer, peer_us, bound, holds)


async def _costs(org: Organisation, sizes: Sizes) -> Costs:
    slot, table = await loaded_slot(org.broker, org.folder)
    async with Projections(org.broker, org.folder.trust().trust_root, wall_ms) as known:
        work = Work(known.view, slot, table)
        _cpu_by_part(work, org, sizes.costed)  # warm-up
        pure_s, rules_s, sign_s = _cpu_by_part(work, org, sizes.costed)
    slot.close()
    verify_s = _verify_s(sizes.costed) / sizes.costed
    # In two processes every intent is verified twice, here only once: add one verification.
    return Costs(rules_s, sign_s + 3 * verify_s, pure_s + verify_s)


def _cpu_by_part(work: Work, org: Organisation, count: int) -> tuple[float, ...]:
    records = [as_record(record) for record in islice(signed_intents(org.traders), count)]
    parts = (lambda: work.all(records), work.rules, work.sign)
    used = tuple(_cpu_s(part) / count for part in parts)
    assert len(work.outcomes) == count
    return used


def as_record(record: Outgoing) -> Record:
    """Return an outgoing record as a consumer would read it."""
    at = partition_of(record.key, PARTITIONS)
    return Record(record.topic, at, 0, record.key, record.value, 0)


def _verify_s(count: int) -> float:
    """Return the CPU seconds to verify ``count`` new signatures over 600 bytes."""
    signer = Ed25519Signer("bench", secrets.token_bytes(32))
    messages = [secrets.token_bytes(600) for _ in range(count)]
    proofs = [signer.sign(message) for message in messages]
    pairs = list(zip(proofs, messages, strict=True))

    def verify_all() -> None:
        for proof, message in pairs:
            verify(signer.public_key, proof, message)

    return _cpu_s(verify_all)


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _faust(org: Organisation, sizes: Sizes) -> Figure:
    """Compare a Faust agent that only moves records with a plain relay's hop."""
    plain, _ = org.relays("plain")
    plain_us, faust_us = (
        _cpu_per_hop_us(org, server, sizes.faust) for server in (plain, org.faust_relay())
    )
    return Figure(
        "CPU per hop", "Faust's overhead: a gate's agent that only moves records, minus the peer",
        faust_us - plain_us, "µs", "plain aiokafka hop", plain_us, f"at most {PER_HOP_US_MAX} µs",
        faust_us - plain_us <= PER_HOP_US_MAX,
    )  # fmt: skip


def _cpu_per_hop_us(org: Organisation, server: Server, count: int) -> float:
    """Return the CPU time per record and hop of a process with the gates' hops, in µs."""
    records = list(islice(signed_intents(org.traders), count))

    async def burst() -> None:
        async with LoadClient(org.broker, GATES_RELAY, PARTITIONS) as client:
            await client.burst(records)

    with org.running(server):
        asyncio.run(burst())
        before_s = cpu_s(server)
        asyncio.run(burst())
        return (cpu_s(server) - before_s) / count / len(GATE_OF) * MICRO

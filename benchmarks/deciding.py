"""Cost of the rules and of the signer's complete work per intent, against eth-account."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fixtures
from benchmarks.measure import Figure, interleaved
from schemas.intents.outcome import TransactionSigned
from schemas.partition import partition_of
from schemas.record import Record
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.case import Case
from signer.core.decide import Allocation, authorize
from signer.core.ethereum.signing import sign_transaction
from signer.core.ethereum.validation import ValidTransaction
from signer.core.registry.registered import RegisteredPolicy
from signer.core.registry.registry import Registry
from signer.core.rules import RULES
from signer.core.transactions import transaction_of
from signer.core.window import DAY_MS, Window
from signer.custody.event_signing import Ed25519Signer
from signer.custody.identity import open_identity
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.root_file import open_local_kms
from signer.custody.sealing import Holders
from signer.keys.authorized_use import KeyUse
from signer.keys.custody_maintenance import CustodyMaintenance
from signer.keys.custody_records import CustodyRecords
from signer.keys.key_import import ShareKeyImportBoxes
from signer.keys.keychain import Keychain
from signer.keys.operations import Operations
from signer.keys.provisioning import KeyProvisioner
from signer.keys.register import VaultRegister
from signer.keys.share_key_rotation import ShareKeyRotation
from signer.keys.vaults.order_execution import VaultOrderExecutor
from signer.stage.memory import Memory
from signer.stage.recorded import Recorded
from signer.stage.stage import Arrival, SigningStage
from signer.stage.state import StateKey, StateMac, StateWrite
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.identity import read_identity
from streams.log.sqlite import SqliteLog

RULES_US_MAX = 25
EARLIER_SPENDS = (10, 1_000, 100_000)
ROUNDS, CALLS = 15, 200
BATCH, BATCHES = 100, 2


class DictStore:
    """The signer's state in a dict, so that the signer is measured and not the disk."""

    def __init__(self) -> None:
        self.records: dict[StateKey, bytes] = {}

    def apply(self, writes: list[StateWrite]) -> None:
        for write in writes:
            if write.value is None:
                self.records.pop(write.key, None)
            else:
                self.records[write.key] = write.value

    def get(self, key: StateKey) -> bytes | None:
        return self.records.get(key)

    def live_of(self, account: str) -> Iterator[tuple[StateKey, bytes]]:
        return ((k, v) for k, v in self.records.items() if k[:2] == (account, "live"))

    def pending_accounts(self) -> list[str]:
        return []

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:  # noqa: ARG002 - no record is a day old
        return []


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    peer = fixtures.Peer()
    yield from _rules(peer)
    yield from _signer(peer)


def _rules(peer: fixtures.Peer) -> Iterator[Figure]:
    for spends in EARLIER_SPENDS:
        times = interleaved({"rules": _five_rules(spends), "peer": peer}, ROUNDS, CALLS)
        yield Figure(
            "rules",
            f"five computable rules after {spends:,} spends",
            times["rules"],
            "µs",
            "eth-account, one signature",
            times["peer"],
            f"≤ {RULES_US_MAX} µs",
            times["rules"] <= RULES_US_MAX,
        )


def _five_rules(spends: int) -> Callable[[], object]:
    now_ms = wall_ms()
    window = Window()
    for n in range(spends):
        window = window.add(now_ms - DAY_MS + n * (DAY_MS // (spends + 1)), 1, DAY_MS)
    account = Account(account=fixtures.ACCOUNT, spent=window)
    policy = RegisteredPolicy(fixtures.POLICY, "0x" + "00" * 32).policy
    agent = fixtures.agent_entry(fixtures.new_agent())
    facts = fixtures.facts(now_ms, agent, None)
    intent = fixtures.intent("rules")
    computable = list(RULES["transaction"].values())[:5]

    def run() -> object:
        return [rule(intent, policy, account, facts) for rule in computable]

    return run


def _signer(peer: fixtures.Peer) -> Iterator[Figure]:
    agent = fixtures.new_agent()
    with TemporaryDirectory() as directory:
        stage, store = _stage(fixtures.make_folder(Path(directory) / "data", agent))
    batches = iter(list(_batches(agent, ROUNDS * (BATCHES + 1))))
    deciding = _decider(stage, agent)

    def complete() -> None:
        batch = stage.allocate(next(batches), wall_ms())
        store.apply(stage.memory.drain())
        assert len(stage.sign(batch)) == 2 * BATCH
        store.apply(stage.memory.drain())

    times = interleaved({"deciding": deciding, "peer": peer}, ROUNDS, CALLS)
    yield _figure("authorise, build, sign, fold", times["deciding"], times["peer"], bounded=True)
    times = interleaved({"complete": complete, "peer": peer}, ROUNDS, BATCHES)
    what = f"all of it in batches of {BATCH}: also authenticate, sign the outcome, seal the state"
    yield _figure(what, times["complete"] / BATCH, times["peer"], bounded=False)


def _figure(what: str, value_us: float, peer_us: float, *, bounded: bool) -> Figure:
    bound = "at most the peer's" if bounded else "no bound"
    holds = value_us <= peer_us or not bounded
    peer = "eth-account, one signature"
    return Figure("signer", what, value_us, "µs", peer, peer_us, bound, holds)


def _decider(stage: SigningStage, agent: Ed25519Signer) -> Callable[[], object]:
    """Return the work to authorise, build, sign and fold one authenticated intent."""
    key = stage.keys.by_path[(fixtures.ACCOUNT, fixtures.KEY_PATH)]
    facts = fixtures.facts(wall_ms(), fixtures.agent_entry(agent), key)
    policy = stage.registry.policies["standard"]
    case = Case(fixtures.intent("decide"), "0x" + "00" * 32, policy, facts)
    account, sender = Account(account=fixtures.ACCOUNT), bytes.fromhex(key.address[2:])

    def decide() -> object:
        nonlocal account
        allocation = authorize(case, account, "signer-0")
        assert isinstance(allocation, Allocation)
        account, pinned = allocation.account, allocation.live.pinned
        assert isinstance(pinned, TransactionSigned)
        opened = stage.key_use.open_key(key, fixtures.AGENT, None)
        return sign_transaction(ValidTransaction(transaction_of(pinned)), opened, sender)

    return decide


def _batches(agent: Ed25519Signer, count: int) -> Iterator[list[Arrival]]:
    for batch in range(count):
        keys = (f"{batch}-{n}" for n in range(BATCH))
        clearances = [fixtures.clearance(raw) for raw in fixtures.signed(agent, keys)]
        yield [Arrival(f"bench/{batch}/{n}", c) for n, c in enumerate(clearances)]


def _stage(folder: Folder) -> tuple[SigningStage, DictStore]:
    trust = folder.trust()
    kms = open_local_kms(folder.root_key, secrets.token_bytes)
    opened = open_identity(kms, read_identity(folder))
    identity, state_key = opened.signer, opened.state_key
    registry, vault_register, holders = Registry(trust.trust_root), VaultRegister(), Holders(kms)
    keys = vault_register.keys
    keychain = Keychain(holders, registry, keys, secrets.token_bytes, boot_ms)
    store = DictStore()
    memory = Memory(store, StateMac(state_key), "0")
    shares = ShareKeyRotation(memory, kms, secrets.token_bytes, wall_ms)
    vaults = VaultOrderExecutor(
        registry, vault_register, holders, ShareKeyImportBoxes(shares), secrets.token_bytes
    )
    key_use = KeyUse(keychain.use)
    stage = SigningStage(identity, registry, memory, keys, key_use, Recorded(fixtures.NoOutcomes()))
    provisioner = KeyProvisioner(keys, keychain, ShareKeyImportBoxes(shares))
    records = CustodyRecords("bench", "", KmsJournal(wall_ms))
    maintenance = CustodyMaintenance(identity, vaults, keychain, shares, records)
    _load(folder, Operations(identity, registry, vault_register, provisioner, vaults, maintenance))
    return stage, store


def _load(folder: Folder, operations: Operations) -> None:
    inbox = SqliteLog(folder.inbox, folder.trust().partitions)
    for record in inbox.read(Topic.REGISTRY, 0, 0, 1000):
        operations.register(record, wall_ms())
    order = fixtures.key_order(folder, fixtures.ACCOUNT)
    at = partition_of(order.key, folder.trust().partitions)
    record = Record(order.topic, at, 0, order.key, order.value, wall_ms())
    operations.execute_order(record, wall_ms())
    inbox.close()

"""Three agents of one registry, and signers that may crash at any step of their batches."""

import secrets
from collections import Counter
from collections.abc import Sequence
from itertools import count

from hypothesis import strategies as st

from schemas.intents.intent import TransactionIntent
from schemas.intents.outcome import AnyOutcome, IntentRejected, decode_outcome
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer, verify_event
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.local import LocalKms
from signer.custody.sealing import Holders
from signer.keys.custody_maintenance import CustodyMaintenance
from signer.keys.custody_records import CustodyRecords
from signer.keys.keychain import Keychain
from signer.keys.operations import Operations
from signer.keys.provisioning import KeyProvisioner
from signer.keys.share_key_rotation import ShareKeyRotation
from signer.keys.vaults.order_execution import VaultOrderExecutor
from signer.stage.slot import Commit, Slot
from signer.stage.stage import Arrival
from tests.harness.builders.cases import (
    ACCOUNT,
    ALICE,
    MAINNET,
    NOW_MS,
    RECIPIENT,
    SIGNER,
    STRANGER,
    agent,
    arrival,
    chain,
    intent,
    policy,
    registered,
    sealed,
    with_keys,
)
from tests.harness.builders.order_executor import ImportKey
from tests.harness.pipeline.signer_process import Died, Disk, SignerProcess

LIMITED = policy(
    tx_to_allowlist=(RECIPIENT,),
    tx_daily_limit_eth="5",
    delegate_allowlist=(STRANGER,),
    allow_any_chain_delegation=True,
)
EVERY_CHAIN = 0
BOB, CAROL = Ed25519Signer("bob", b"b" * 32), Ed25519Signer("carol", b"c" * 32)
HOT = "keys/hot"
SECRETS = (b"\x01" * 32, b"\x02" * 32)
REGISTRY = registered(
    AccountOpened(account="ops"),
    agent(key_paths=(HOT,)),
    agent(agent="bob", public_key=BOB.public_key, key_paths=(HOT,)),
    agent(agent="carol", public_key=CAROL.public_key, key_paths=(HOT,), account="ops"),
    chain(chain_id=MAINNET, name="ethereum", aliases=()),
    under=LIMITED,
)[1]
VAULT = with_keys(REGISTRY, (ACCOUNT, HOT, SECRETS[0]), ("ops", HOT, SECRETS[1]))
KEYS = VAULT.keys
AGENTS = {"alice": (ACCOUNT, ALICE), "bob": (ACCOUNT, BOB), "carol": ("ops", CAROL)}


def check_settled(outcomes: list[AnyOutcome]) -> None:
    """Assert one signed outcome per intent, dense sequence numbers, and nonces used once."""
    assert max(Counter(outcome.intent for outcome in outcomes).values(), default=1) == 1
    for account in {outcome.account for outcome in outcomes}:
        numbers = [outcome.sequence for outcome in outcomes if outcome.account == account]
        assert numbers == list(range(1, len(numbers) + 1))
    for used in used_nonces(outcomes).values():
        everywhere = used.pop(EVERY_CHAIN, [])
        for nonces in (everywhere, *(on_chain + everywhere for on_chain in used.values())):
            assert len(nonces) == len(set(nonces))
    for outcome in outcomes[-3:]:
        verify_event(outcome, SIGNER.public_key)


def used_nonces(outcomes: list[AnyOutcome]) -> dict[str, dict[int, list[int]]]:
    """Return the nonces of transactions and authorizations by sender and chain."""
    used: dict[str, dict[int, list[int]]] = {}
    for one in outcomes:
        if not isinstance(one, IntentRejected) and one.nonce is not None:
            used.setdefault(one.sender, {}).setdefault(one.chain_id, []).append(one.nonce)
    return used


def ask(name: str, idempotency_key: str, value_wei: int) -> Arrival:
    account, by = AGENTS[name]
    asked: TransactionIntent = intent(
        agent=name,
        account=account,
        key_path=HOT,
        idempotency_key=idempotency_key,
        value_wei=value_wei,
    )
    return arrival(asked, envelope=sealed(asked, by))


KMS = LocalKms(bytes(32), secrets.token_bytes)
# Batches of one run may share accounts, repeat intents and reuse idempotency keys.
asked = st.tuples(
    st.sampled_from(sorted(AGENTS)), st.sampled_from("abcdef"), st.sampled_from([1, 2])
)
batches = st.lists(st.lists(asked, min_size=1, max_size=4), min_size=1, max_size=5)


class SignerRun:
    """Runs batches as the signer on Kafka does, and crashes before step ``dies_at``."""

    def __init__(self, disk: Disk, handed_out: dict[str, set[bytes]], dies_at: int = -1) -> None:
        process = SignerProcess(disk, REGISTRY, KEYS, SECRETS, handed_out)
        register, holders, box = VAULT, Holders(KMS), ImportKey(bytes(32))
        keychain = Keychain(holders, REGISTRY, KEYS, secrets.token_bytes, lambda: NOW_MS)
        vaults = VaultOrderExecutor(REGISTRY, register, holders, box, secrets.token_bytes)
        provisioner, journal = KeyProvisioner(KEYS, keychain, box), KmsJournal(lambda: NOW_MS)
        records = CustodyRecords(SIGNER.keyid, "run-1", journal)
        shares = ShareKeyRotation(process.memory, KMS, secrets.token_bytes, lambda: NOW_MS)
        maintenance = CustodyMaintenance(SIGNER, vaults, keychain, shares, records)
        operations = Operations(SIGNER, REGISTRY, register, provisioner, vaults, maintenance)
        self.now_ms = NOW_MS
        self.slot = Slot(process.stage, operations, lambda: self.now_ms)
        self._process = process
        self._steps = count()
        self._dies_at = dies_at

    def run(self, read: Sequence[Sequence[Arrival]]) -> None:
        """Recover pinned outcomes, process every unread batch, publish the last outcomes."""
        for commit in self.slot.recover():
            self._commit(commit)
        position = self.slot.state.positions.get("decided/0", 0)
        for number, arrivals in list(enumerate(read))[position:]:
            self._step()
            self._commit(self.slot.pin(arrivals, [], NOW_MS, {"decided/0": number + 1}))
            self._step()
            self.slot.sign()
        self._step()
        if self.slot.has_unpublished:
            self._commit(self.slot.publish())

    def _commit(self, commit: Commit) -> None:
        self._remember(commit.events)
        self._step()
        self._process.disk.commit(*commit)

    def _remember(self, events: Sequence[Outgoing]) -> None:
        for event in events:
            if event.topic is Topic.OUTCOMES:
                intent = decode_outcome(event.value).intent
                self._process.handed_out.setdefault(intent, set()).add(event.value)

    def _step(self) -> None:
        if next(self._steps) == self._dies_at:
            raise Died


def arrivals_of(asked_for: list[list[tuple[str, str, int]]]) -> list[list[Arrival]]:
    return [[ask(*terms) for terms in batch] for batch in asked_for]

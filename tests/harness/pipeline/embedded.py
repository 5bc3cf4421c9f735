"""A complete embedded pipeline in a folder, without ledger and API: real parts, real files."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, Envelope
from schemas.intents.intent import TransactionIntent
from schemas.keys.key_events import KeyRequest
from schemas.ledger.audit import action_of
from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.registry.policy import Policy
from schemas.registry.records import AccountOpened, AgentSet, ChainSet, Entry, Fees, PolicySet
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.stage.recorded import LedgerOutcomes
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.kms import KmsSettings
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import SLOT, Folder
from sixgate.services.slot import NO_KMS, make_slot, open_signer_keys
from streams.gates.passage import Passage
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock
from streams.runners.embedded import EmbeddedRunner
from tests.harness.builders.known_outcomes import KnownOutcomes

ALLOWED = "0x" + "11" * 20
STRANGER = "0x" + "22" * 20
ACCOUNT, AGENT, KEY_PATH = "treasury", "trader", "keys/base-signer"
BASE = ChainSet(
    chain_id=8453,
    name="base",
    symbol="ETH",
    explorer="basescan.org",
    testnet=False,
    default_fees=Fees(
        gas_limit=21_000, max_fee_per_gas_wei=10**9, max_priority_fee_per_gas_wei=10**6
    ),
)
POLICY = Policy(
    tx_to_allowlist=(ALLOWED,),
    tx_max_value_eth="1",
    tx_daily_limit_eth="5",
    tx_allowed_chains=("base",),
    intents_per_minute="unlimited",
)


@dataclass
class ManualTime:
    """A wall clock and a boot clock that tests move."""

    wall: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    boot: int = 1_000_000

    def forward(self, ms: int) -> None:
        self.wall += ms
        self.boot += ms

    def clock(self) -> SteadyClock:
        """Return the clock of a new process."""
        return SteadyClock(lambda: self.wall, lambda: self.boot)


@dataclass
class Producer:
    """An agent that makes and signs intents."""

    signer: Ed25519Signer
    account: str = ACCOUNT
    now_ms: Callable[[], int] = field(default=lambda: time.time_ns() // 1_000_000)

    def intent(self, key: str, **changes: Any) -> TransactionIntent:
        terms: dict[str, Any] = {
            "org": "acme",
            "account": self.account,
            "agent": self.signer.keyid,
            "chain_id": 8453,
            "to": ALLOWED,
            "value_wei": 10**15,
            "data": "0x",
            "simulate_first": False,
            "key_path": KEY_PATH,
            "idempotency_key": key,
            "expires_at_ms": self.now_ms() + 600_000,
        }
        return TransactionIntent(**(terms | changes))

    def signed(self, key: str, **changes: Any) -> bytes:
        return self.signer.sign_envelope(INTENT_TYPE, self.intent(key, **changes).encode()).encode()


@dataclass
class Pipeline:
    """An open pipeline and the events that it has committed since it was opened."""

    folder: Folder
    runner: EmbeddedRunner
    inbox: SqliteLog
    committed: list[Outgoing]

    def submit(self, *values: bytes, key: str = ACCOUNT) -> None:
        self.inbox.append([Outgoing(Topic.SUBMITTED, key, value) for value in values], 0)

    def drain(self) -> list[Outgoing]:
        """Step until nothing is left; return the events committed meanwhile."""
        self.committed.clear()
        while self.runner.step():
            continue
        return list(self.committed)

    def audits(self) -> list[str]:
        """Return the audit actions since the last ``drain``.

        KMS calls and accesses to signing keys are left out.
        """
        audit = [e.value for e in self.committed if e.topic is Topic.AUDIT]
        actions = [action_of(raw) for raw in audit if b'"operation":"sign"' not in raw]
        return [action for action in actions if action != "kms.call"]

    def close(self) -> None:
        for log in (self.inbox, self.runner.inbox, self.runner.pipeline):
            log.close()


def make_folder(path: Path, agents: Sequence[Ed25519Signer], policy: Policy = POLICY) -> Folder:
    """Make a folder with one account, one policy and the agents, and order a key."""
    entries: list[Entry] = [
        AccountOpened(account=ACCOUNT),
        PolicySet(policy_id="standard", policy=policy),
        BASE,
        *(agent_entry(agent) for agent in agents),
    ]
    now_ms = time.time_ns() // 1_000_000
    folder = create(path, Founding("acme", entries), now_ms, secrets.token_bytes)
    inbox = SqliteLog(folder.inbox, folder.trust().partitions)
    inbox.append([key_order(folder, requested_at_ms=now_ms)], now_ms)
    inbox.close()
    return folder


def key_order(folder: Folder, **changes: Any) -> Outgoing:
    """Return an admin's order for a key, as a record."""
    terms: dict[str, Any] = {
        "org": "acme",
        "account": ACCOUNT,
        "path": KEY_PATH,
        "requested_at_ms": wall_ms(),
        "registry_sequence": 0,
    } | changes
    request = folder.admin().sign_envelope(KEY_REQUEST_TYPE, KeyRequest(**terms).encode())
    return Outgoing(Topic.KEY_REQUESTS, terms["account"], request.encode())


def agent_entry(agent: Ed25519Signer, **changes: Any) -> AgentSet:
    terms: dict[str, Any] = {
        "agent": agent.keyid,
        "account": ACCOUNT,
        "public_key": agent.public_key,
        "policy_id": "standard",
        "active": True,
        "intents_api_enabled": True,
        "key_paths": (KEY_PATH,),
    }
    return AgentSet(**(terms | changes))


def no_simulation(passages: Sequence[Passage]) -> Sequence[Envelope]:
    raise AssertionError(f"{len(passages)} intents asked for a simulation")


def open_pipeline(
    folder: Folder,
    clock: SteadyClock | None = None,
    log: type[PipelineLog] = PipelineLog,
    ledger: LedgerOutcomes | None = None,
    kms: KmsSettings = NO_KMS,
) -> Pipeline:
    """Open a folder's pipeline as the node does, and start it."""
    trust = folder.trust()
    pipeline = log(folder.pipeline, trust.partitions)
    held = open_signer_keys(folder, kms)
    steady = clock or SteadyClock(lambda: time.time_ns() // 1_000_000, boot_ms)
    registry = Registry(trust.trust_root)
    committed: list[Outgoing] = []
    runner = EmbeddedRunner(
        inbox=SqliteLog(folder.inbox, trust.partitions),
        pipeline=pipeline,
        slot=make_slot(held, registry, pipeline, SLOT, ledger or KnownOutcomes(), steady.now_ms),
        clock=steady,
        simulate=no_simulation,
        on_commit=committed.extend,
    )
    runner.load()
    runner.recover()
    return Pipeline(folder, runner, SqliteLog(folder.inbox, trust.partitions), committed)


def misplaced(folder: Folder) -> str:
    """Return a key whose partition is not the account's."""
    partitions = folder.trust().partitions
    home = partition_of(ACCOUNT, partitions)
    return next(k for k in map(str, range(1000)) if partition_of(k, partitions) != home)

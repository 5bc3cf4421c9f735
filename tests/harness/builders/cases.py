"""Valid intents, policies, registries and cases for the signer's decision."""

from dataclasses import dataclass, field
from typing import Any

from coincurve import PrivateKey

from schemas.canonical import digest, event_id
from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, REGISTRY_TYPE, SIMULATION_TYPE, Envelope
from schemas.intents.clearance import Clearance
from schemas.intents.intent import AnyIntent, TransactionIntent, intent_digest
from schemas.intents.outcome import TransactionSigned
from schemas.intents.simulation import SimulationReport
from schemas.keys.key_events import KeyOrder, KeyProvisioned, KeyRequest, request_digest
from schemas.registry.policy import Policy
from schemas.registry.records import (
    GENESIS_PREVIOUS,
    AccountOpened,
    AgentSet,
    ChainSet,
    Entry,
    Fees,
    OrgCreated,
    PolicySet,
    RegistryRecord,
    ServiceSet,
    record_digest,
)
from signer.core.case import Case, GateCase
from signer.core.registry.registered import RegisteredPolicy
from signer.core.registry.registry import Registry
from signer.core.registry.settings import Settings
from signer.core.rules.decision import Facts
from signer.custody.event_signing import Ed25519Signer
from signer.keys.descriptor import KeyDescriptor
from signer.keys.key_register import KeyRegister
from signer.keys.register import VaultRegister
from signer.stage.stage import Arrival
from tests.harness.builders.ethereum import MemoryKey

NOW_MS = 1_790_000_000_000
HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
ETH = 10**18
GWEI = 10**9

ORG, ACCOUNT, AGENT = "acme", "treasury", "alice"
KEY_PATH = "agents/alice/keys/hot"
RECIPIENT, STRANGER = "0x" + "11" * 20, "0x" + "22" * 20
BASE, MAINNET = 8453, 1

ADMIN = Ed25519Signer("admin", b"A" * 32)
ALICE = Ed25519Signer(AGENT, b"a" * 32)
SIGNER = Ed25519Signer("signer-1", b"s" * 32)
SIMULATOR = Ed25519Signer("simulator-1", b"m" * 32)
MALLORY = Ed25519Signer("mallory", b"!" * 32)
SECRET = b"\x01" * 32


def intent(**changes: Any) -> TransactionIntent:
    """Return alice's transfer of 1 wei on Base, with gas and fees."""
    terms: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "agent": AGENT,
        "chain_id": BASE,
        "to": RECIPIENT,
        "value_wei": 1,
        "data": "0x",
        "gas_limit": 21_000,
        "max_fee_per_gas_wei": GWEI,
        "max_priority_fee_per_gas_wei": 1,
        "simulate_first": False,
        "key_path": KEY_PATH,
        "idempotency_key": "invoice-1",
        "expires_at_ms": NOW_MS + HOUR_MS,
    }
    return TransactionIntent(**(terms | changes))


# Fields of intents of all kinds.
COMMON = {
    name: value
    for name, value in intent().plain().items()
    if name in ("org", "account", "agent", "chain_id", "key_path", "idempotency_key")
} | {"expires_at_ms": intent().expires_at_ms}


def sealed(one: AnyIntent, by: Ed25519Signer = ALICE) -> Envelope:
    return by.sign_envelope(INTENT_TYPE, one.encode())


def arrival(one: AnyIntent, n: int = 0, **changes: Any) -> Arrival:
    """Return the intent as it reaches the signer; ``n`` is its offset."""
    name = intent_digest(one.encode())
    terms: dict[str, Any] = {
        "id": event_id("intents.decided", name),
        "intent": name,
        "envelope": sealed(one),
        "verdicts": (),
    }
    return Arrival(f"intents.decided/0/{n}", Clearance(**(terms | changes)))


def policy(**changes: Any) -> Policy:
    """Return a policy that limits only the fee; all other limits are ``unlimited``."""
    terms: dict[str, Any] = {
        "tx_to_allowlist": "any",
        "tx_max_value_eth": "unlimited",
        "tx_daily_limit_eth": "unlimited",
        "tx_allowed_chains": "any",
        "intents_per_minute": "unlimited",
    }
    return Policy(**(terms | changes))


def agent(**changes: Any) -> AgentSet:
    terms: dict[str, Any] = {
        "agent": AGENT,
        "account": ACCOUNT,
        "public_key": ALICE.public_key,
        "policy_id": "standard",
        "active": True,
        "intents_api_enabled": True,
    }
    return AgentSet(**(terms | changes))


def chain(**changes: Any) -> ChainSet:
    terms: dict[str, Any] = {
        "chain_id": BASE,
        "name": "base",
        "aliases": ("base-mainnet",),
        "symbol": "ETH",
        "explorer": "basescan.org",
        "testnet": False,
        "default_fees": Fees(
            gas_limit=21_000, max_fee_per_gas_wei=2 * GWEI, max_priority_fee_per_gas_wei=GWEI
        ),
    }
    return ChainSet(**(terms | changes))


def report(one: TransactionIntent, **changes: Any) -> SimulationReport:
    terms: dict[str, Any] = {
        "simulator": SIMULATOR.keyid,
        "intent": intent_digest(one.encode()),
        "chain_id": one.chain_id,
        "status": "succeeded",
        "simulated_at_ms": NOW_MS,
        "expires_at_ms": NOW_MS + HOUR_MS,
    }
    return SimulationReport(**(terms | changes))


def sealed_report(one: SimulationReport, by: Ed25519Signer = SIMULATOR) -> Envelope:
    return by.sign_envelope(SIMULATION_TYPE, one.encode())


def key_request(**changes: Any) -> KeyRequest:
    terms: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "path": KEY_PATH,
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    }
    return KeyRequest(**(terms | changes))


def sealed_request(request: KeyOrder, by: Ed25519Signer = ADMIN) -> Envelope:
    return by.sign_envelope(KEY_REQUEST_TYPE, request.encode())


def key_answer(request: KeyRequest, secret: bytes = SECRET, /, **changes: Any) -> KeyProvisioned:
    """Return the signer's unsigned event of a new key; the wrapped values are placeholders."""
    terms: dict[str, Any] = {
        "id": event_id("vault", request_digest(request.encode())),
        "request": sealed_request(request),
        "account": request.account,
        "vault": "__agent-keys",
        "path": request.path,
        "version": 1,
        "address": address_of(secret),
        "public_key": public_key_of(secret),
        "kms_key": "none",
        "wrapped_kek": "0x01",
        "wrapped_dek": "0x02",
        "ciphertext": "0x03",
        "provisioned_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
    }
    return KeyProvisioned(**(terms | changes))


def public_key_of(secret: bytes) -> str:
    return "0x" + PrivateKey(secret).public_key.format(compressed=False).hex()


def address_of(secret: bytes) -> str:
    return "0x" + MemoryKey(secret).address.hex()


def key(secret: bytes = SECRET, **changes: Any) -> KeyDescriptor:
    request = key_request(**changes)
    answer = key_answer(request, secret)
    named = (request.account, request.path, 1, answer.address, answer.chain, answer.vault)
    return KeyDescriptor(*named, provisioned=answer)


def facts(**changes: Any) -> Facts:
    """Return the facts at ``NOW_MS`` under which an intent passes."""
    terms: dict[str, Any] = {
        "at_ms": NOW_MS,
        "agent": agent(),
        "grants": (),
        "settings": Settings(),
        "chain": chain(),
        "simulation": None,
        "simulation_problem": None,
        "key": key().ref,
        "key_problem": None,
        "owner": None,
        "earlier": None,
        "decided_before": False,
        "has_marker": False,
        "boot": None,
    }
    return Facts(**(terms | changes))


def case(one: AnyIntent | None = None, under: Policy | None = None, **changes: Any) -> Case:
    """Return a case of an intent under a policy; further arguments replace facts."""
    wanted, rules = one or intent(), under or policy()
    named = digest("sixgate/policy/v1", rules.encode())
    return Case(
        wanted, intent_digest(wanted.encode()), RegisteredPolicy(rules, named), facts(**changes)
    )


def signed(one: TransactionIntent, **changes: Any) -> TransactionSigned:
    """Return the unsigned outcome of the intent, with nonce 0."""
    terms: dict[str, Any] = {
        "id": event_id("outcome", intent_digest(one.encode())),
        "org": one.org,
        "account": one.account,
        "agent": one.agent,
        "intent": intent_digest(one.encode()),
        "idempotency_key": one.idempotency_key,
        "sequence": 1,
        "decided_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
        "chain_id": one.chain_id,
        "to": one.to,
        "value_wei": one.value_wei,
        "sender": address_of(SECRET),
        "key_path": one.key_path,
        "key_version": 1,
        "gas_limit": 21_000,
        "max_fee_per_gas_wei": GWEI,
        "max_priority_fee_per_gas_wei": 1,
        "gas_from": "intent",
        "fees_from": "intent",
        "nonce": 0,
        "spent_wei": one.value_wei,
        "day_spent_wei": one.value_wei,
        "data": one.data,
    }
    return TransactionSigned(**(terms | changes))


@dataclass
class Operator:
    """An admin who writes consecutive registry records."""

    by: Ed25519Signer = ADMIN
    written: list[bytes] = field(default_factory=list)
    head: str = GENESIS_PREVIOUS

    def record(self, entry: Entry, **changes: Any) -> RegistryRecord:
        """Return the record that continues the chain."""
        terms: dict[str, Any] = {
            "org": ORG,
            "sequence": len(self.written),
            "previous": self.head,
            "at_ms": NOW_MS,
            "entry": entry,
        }
        return RegistryRecord(**(terms | changes))

    def sealed(self, record: RegistryRecord, by: Ed25519Signer | None = None) -> bytes:
        return (by or self.by).sign_envelope(REGISTRY_TYPE, record.encode()).encode()

    def write(self, entry: Entry) -> bytes:
        """Write the next record and return its bytes."""
        record = self.record(entry)
        self.written.append(self.sealed(record))
        self.head = record_digest(record.encode())
        return self.written[-1]


def founding(**changes: Any) -> OrgCreated:
    terms: dict[str, Any] = {"org": ORG, "admin_keys": (ADMIN.public_key,), "partitions": 4}
    return OrgCreated(**(terms | changes))


def service(by: Ed25519Signer, role: str, **changes: Any) -> ServiceSet:
    terms: dict[str, Any] = {
        "role": role,
        "name": by.keyid,
        "public_key": by.public_key,
        "active": True,
    }
    return ServiceSet(**(terms | changes))


def founded() -> tuple[Operator, Registry]:
    """Return an operator and a registry with the organisation's first record."""
    operator = Operator()
    genesis = operator.write(founding())
    registry = Registry(operator.head)
    registry.apply(genesis)
    return operator, registry


def registered(*entries: Entry, under: Policy | None = None) -> tuple[Operator, Registry]:
    """Return a registry with everything that alice's transfer needs, and these entries."""
    operator, registry = founded()
    for entry in (
        AccountOpened(account=ACCOUNT),
        PolicySet(policy_id="standard", policy=under or policy()),
        agent(),
        chain(),
        service(SIGNER, "signer"),
        service(SIMULATOR, "simulator"),
        *entries,
    ):
        registry.apply(operator.write(entry))
    return operator, registry


def provisioned(registry: Registry, *secrets: tuple[str, str, bytes]) -> KeyRegister:
    """Return a register with these keys, each given as account, path and secret."""
    return with_keys(registry, *secrets).keys


def with_keys(registry: Registry, *secrets: tuple[str, str, bytes]) -> VaultRegister:
    """Return the register of ``vault`` with these keys."""
    register = VaultRegister()
    for account, path, secret in secrets or ((ACCOUNT, KEY_PATH, SECRET),):
        answer = key_answer(key_request(account=account, path=path), secret)
        register.load(SIGNER.sign_event(answer), registry)
    return register


def asked(one: GateCase) -> TransactionIntent:
    """Return the transaction intent of a case."""
    assert isinstance(one.intent, TransactionIntent)
    return one.intent

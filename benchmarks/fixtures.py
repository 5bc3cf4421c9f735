"""The same organisation, agent and transaction for every benchmark."""

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eth_account import Account as EthAccount
from eth_keys.backends.coincurve import CoinCurveECCBackend

from schemas.canonical import event_id
from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, Envelope
from schemas.intents.clearance import Clearance
from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.keys.key_events import KeyRequest
from schemas.record import Outgoing
from schemas.registry.policy import Policy
from schemas.registry.records import AccountOpened, AgentSet, ChainSet, Entry, Fees, PolicySet
from schemas.topics import Topic
from signer.core.registry.settings import Settings
from signer.core.rules.decision import Facts
from signer.custody.event_signing import Ed25519Signer
from signer.keys.descriptor import KeyDescriptor
from sixgate.clocks import wall_ms
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import Folder
from streams.log.sqlite import SqliteLog

RECIPIENT = "0x" + "11" * 20
ACCOUNT, AGENT, KEY_PATH = "treasury", "trader", "keys/base-signer"
FEES = Fees(gas_limit=21_000, max_fee_per_gas_wei=10**9, max_priority_fee_per_gas_wei=10**6)
POLICY = Policy(
    tx_to_allowlist=(RECIPIENT,),
    tx_max_value_eth="1",
    tx_daily_limit_eth="1000000",
    tx_allowed_chains=("base",),
    intents_per_minute="unlimited",
)
BASE = ChainSet(
    chain_id=8453, name="base", symbol="ETH", explorer="basescan.org", testnet=False,
    default_fees=FEES,
)  # fmt: skip


def new_agent() -> Ed25519Signer:
    return Ed25519Signer(AGENT, secrets.token_bytes(32))


def agent_entry(agent: Ed25519Signer) -> AgentSet:
    return AgentSet(
        agent=AGENT, account=ACCOUNT, public_key=agent.public_key, policy_id="standard",
        active=True, intents_api_enabled=True, key_paths=(KEY_PATH,),
    )  # fmt: skip


def entries(agent: Ed25519Signer) -> list[Entry]:
    policy = PolicySet(policy_id="standard", policy=POLICY)
    return [AccountOpened(account=ACCOUNT), policy, BASE, agent_entry(agent)]


def make_folder(path: Path, agent: Ed25519Signer) -> Folder:
    """Create a data folder with an order for its key, which is not generated yet."""
    folder = create(path, Founding("bench", entries(agent)), wall_ms(), secrets.token_bytes)
    inbox = SqliteLog(folder.inbox, folder.trust().partitions)
    inbox.append([key_order(folder, ACCOUNT)], wall_ms())
    inbox.close()
    return folder


def key_order(folder: Folder, account: str) -> Outgoing:
    """Return an admin's order for an account's key, addressed to its topic."""
    now_ms = wall_ms()
    request = KeyRequest(
        org="bench", account=account, path=KEY_PATH, requested_at_ms=now_ms, registry_sequence=0
    )
    envelope = folder.admin().sign_envelope(KEY_REQUEST_TYPE, request.encode())
    return Outgoing(Topic.KEY_REQUESTS, account, envelope.encode())


def intent(key: str, **changes: Any) -> TransactionIntent:
    terms: dict[str, Any] = {
        "org": "bench", "account": ACCOUNT, "agent": AGENT, "chain_id": 8453, "to": RECIPIENT,
        "value_wei": 10**12, "data": "0x", "simulate_first": False, "key_path": KEY_PATH,
        "idempotency_key": key, "expires_at_ms": wall_ms() + 12 * 3_600_000,
    }  # fmt: skip
    return TransactionIntent(**(terms | changes))


def facts(at_ms: int, agent: AgentSet, key: KeyDescriptor | None) -> Facts:
    return Facts(
        at_ms=at_ms,
        agent=agent,
        grants=(),
        settings=Settings(),
        chain=BASE,
        simulation=None,
        simulation_problem=None,
        key=key,
        key_problem=None,
        owner=None,
        earlier=None,
        decided_before=False,
        has_marker=False,
        boot=None,
    )


def signed(agent: Ed25519Signer, keys: Iterable[str]) -> Iterator[bytes]:
    for key in keys:
        yield agent.sign_envelope(INTENT_TYPE, intent(key).encode()).encode()


def clearance(raw: bytes) -> Clearance:
    envelope = Envelope.decode(raw)
    name = intent_digest(envelope.body())
    return Clearance(id=event_id(Topic.DECIDED, name), intent=name, envelope=envelope, verdicts=())


def peer_account(secret: bytes) -> Any:
    """Return the peer's account: eth-account on coincurve and a C keccak."""
    account = EthAccount.from_key(secret)
    # With a pure-Python fallback the peer is so slow that every bound would hold.
    assert isinstance(account._key_obj.backend, CoinCurveECCBackend)  # noqa: SLF001
    assert os.environ.get("ETH_HASH_BACKEND") == "pysha3", "run it with make bench"
    return account


class Peer:
    """The script that a user would write instead: signs transfers with eth-account."""

    def __init__(self) -> None:
        self._account = peer_account(secrets.token_bytes(32))
        self._nonce = 0

    def __call__(self) -> object:
        self._nonce += 1
        return self._account.sign_transaction({
            "type": 2, "chainId": 8453, "nonce": self._nonce, "to": RECIPIENT, "value": 10**12,
            "data": "0x", "gas": FEES.gas_limit, "maxFeePerGas": FEES.max_fee_per_gas_wei,
            "maxPriorityFeePerGas": FEES.max_priority_fee_per_gas_wei,
        })  # fmt: skip


class NoOutcomes:
    """A ledger that is not asked: no benchmark lasts until the signer forgets."""

    def has_outcome(self, intent: str) -> bool:
        raise AssertionError(intent)

    def newest_sequence(self, account: str) -> int:
        raise AssertionError(account)

"""Producer side of an intent: resolves a hand-written intent to canonical, signed bytes.

Pure: the time, new idempotency keys and the registry are inputs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from schemas.dsse import INTENT_TYPE
from schemas.intents.intent import (
    AnyIntent,
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.key_chains import KeyChain
from signer.custody.event_signing import Ed25519Signer
from signer.keys import paths as key_paths
from signer.keys.paths import Resolved, Unresolved, VaultKeys, agent_key_path, network_key_path
from sixgate.api import Json
from sixgate.authoring.form_fields import did_you_mean
from sixgate.authoring.intent_form import (
    AnyForm,
    AuthorizationForm,
    IntentFormError,
    MessageForm,
    TransactionForm,
    TypedDataForm,
)


@dataclass(frozen=True)
class Directory:
    """Directory of an organisation's names.

    ``accounts`` maps agents to accounts, ``chains`` names, aliases and ids to chain ids, ``names``
    chain ids to names; ``keys`` has account and path of every provisioned key.
    """

    org: str
    accounts: Mapping[str, str]
    chains: Mapping[str, int]
    names: Mapping[int, str]
    keys: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, registry: Json) -> "Directory":
        """Build it from the answer of ``Api.registry``."""
        chains = registry["chains"]
        names = [(n, c["chain_id"]) for c in chains for n in (c["name"], *c.get("aliases", ()))]
        return cls(
            org=registry["org"],
            accounts={name: agent["account"] for name, agent in registry["agents"].items()},
            chains=dict(names) | {str(chain["chain_id"]): chain["chain_id"] for chain in chains},
            names={chain["chain_id"]: chain["name"] for chain in chains},
            keys=frozenset((key["account"], key["path"]) for key in registry["keys"]),
        )

    def account_of(self, agent: str) -> str:
        """Return an agent's account; raise ``IntentFormError`` for an unregistered agent."""
        if agent not in self.accounts:
            hint = did_you_mean(agent, self.accounts)
            hint = hint or f": register it with sixgate agents add {agent}"
            raise IntentFormError([("agent", f"no agent {agent} is registered{hint}")])
        return self.accounts[agent]

    def chain_id(self, chain: str | int) -> int:
        """Return a chain's id by name, alias or id. The gates reject an unregistered id."""
        if isinstance(chain, int):
            return chain
        if chain not in self.chains:
            hint = did_you_mean(chain, self.chains) or ": see sixgate chains list"
            raise IntentFormError([("chain", f"no chain {chain} is registered{hint}")])
        return self.chains[chain]

    def key_path(self, agent: str, chain_id: int, named: str | None) -> str:
        """Return the key path of an agent's intent (``signer.keys.paths.resolve``).

        The signer rejects a path without a key, or without a grant for the agent, and records that.
        """
        network = self.names.get(chain_id, KeyChain.ETHEREUM)
        evm_networks = (network, *self.names.values())
        vaults = [VaultKeys(AGENT_KEYS, self._paths[self.accounts[agent]])]
        found = key_paths.resolve(agent, network, named, vaults, evm_networks=evm_networks)
        match found:
            case Resolved(path=path) | Unresolved(path=str(path)):
                return path
            case Unresolved():
                raise IntentFormError([("key_path", _why_no_path(found, network))])

    @cached_property
    def _paths(self) -> Mapping[str, frozenset[str]]:
        owners = set(self.accounts.values())
        return {owner: frozenset(p for a, p in self.keys if a == owner) for owner in owners}


def _why_no_path(found: Unresolved, network: str) -> str:
    if found.code == "chain_unknown":
        default = network_key_path(network)
        return f"is required: the chain's name makes no valid path ({default})"
    return f"{found.detail}: name another"


def key_changes(before: Directory, account: str, path: str) -> Iterator[str]:
    """Yield a sentence for each agent whose default key path a new key changes or shadows."""
    chain_keys = [network_key_path(chain) for chain in sorted(before.names.values())]
    for agent in sorted(name for name, owner in before.accounts.items() if owner == account):
        own_path = agent_key_path(agent)
        others = [other for other in chain_keys if (account, other) in before.keys]
        if path == own_path and others:
            yield (
                f"{agent} now signs with {own_path}, which has another address than "
                f"{', '.join(others)}: to use one of those, an intent must name it as key_path"
            )
        if path in chain_keys and (account, own_path) in before.keys:
            yield (
                f"{agent} still signs with {own_path}: to use {path}, an intent must name it as "
                "key_path"
            )


def resolve(
    form: AnyForm, directory: Directory, now_ms: int, new_key: Callable[[], str]
) -> AnyIntent:
    """Return the canonical intent, with every name and relative time resolved.

    ``new_key`` makes an idempotency key if the form has none. Raises ``IntentFormError``.
    """
    account = directory.account_of(form.agent)
    chain_id = directory.chain_id(form.chain)
    expires_at_ms = form.expires_at_ms
    if expires_at_ms is None:
        expires_at_ms = now_ms + 1000 * form.expires_in_s
    common = {
        "mode": None if form.mode == "sign_only" else form.mode,
        "org": directory.org,
        "account": account,
        "agent": form.agent,
        "chain_id": chain_id,
        "key_path": directory.key_path(form.agent, chain_id, form.key_path),
        "client_share": form.client_share,
        "idempotency_key": form.idempotency_key or new_key(),
        "expires_at_ms": expires_at_ms,
    }
    return _of_kind(form, common)


def _of_kind(form: AnyForm, common: dict[str, Any]) -> AnyIntent:
    match form:
        case TransactionForm():
            return TransactionIntent(**common, **_transaction(form))
        case MessageForm():
            return MessageIntent(**common, message=form.message or form.message_hex or "0x")
        case TypedDataForm():
            return TypedDataIntent(**common, typed_data=form.typed_data)
        case AuthorizationForm():
            return AuthorizationIntent(**common, delegate=form.delegate, nonce=form.nonce)


def _transaction(form: TransactionForm) -> dict[str, Any]:
    return {
        "tx_type": form.tx_type,
        "to": form.to,
        "value_wei": form.amount_wei,
        "data": form.data,
        "gas_limit": form.gas_limit,
        "gas_price_wei": form.gas_price_gwei,
        "max_fee_per_gas_wei": form.max_fee_gwei,
        "max_priority_fee_per_gas_wei": form.max_priority_fee_gwei,
        "access_list": form.access_list,
        "max_fee_per_blob_gas_wei": form.max_blob_fee_gwei,
        "blob_versioned_hashes": form.blob_versioned_hashes,
        "authorization_list": form.authorization_list,
        "nonce": form.nonce,
        "simulate_first": form.simulate_first,
    }


def sign(intent: AnyIntent, signer: Ed25519Signer) -> bytes:
    """Return the intent in an envelope signed by its agent's key."""
    return signer.sign_envelope(INTENT_TYPE, intent.encode()).encode()

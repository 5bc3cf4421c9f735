"""Intents of API requests: names are resolved, and the gateway signs for its agents. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from schemas.canonical import validation_message
from schemas.fields import TimeMs
from schemas.intents.intent import (
    EXPIRY_MS_DEFAULT,
    AnyIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.registry.key_chains import KeyChain
from schemas.registry.networks import NETWORKS
from schemas.registry.records import AgentSet, ChainSet
from signer.core.access import may_sign
from signer.core.registry.registered import Registered
from signer.keys import paths as key_paths
from signer.keys.access import KEY_KINDS
from signer.keys.paths import Resolved, Unresolved, VaultKeys
from signer.keys.register import VaultRegister
from sixgate.api.models.submissions import MessageEncoding, SignRequest, TransactionRequest
from sixgate.authoring import form_fields as read
from sixgate.authoring.form_fields import did_you_mean
from sixgate.authoring.intent_form import IntentFormError
from sixgate.gateway.chain_names import find_chain, is_chain_id

_BYTES = re.compile(r"0x(?:[0-9a-fA-F]{2})+", re.ASCII)


class KeyChoiceError(Exception):
    """The request names a key that this agent may not name, or that two vaults hold."""

    def __init__(self, code: Literal["key_not_granted", "key_ambiguous"], detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Directory:
    """The registry, and the keys and secrets in the vaults."""

    registered: Registered
    vaults: VaultRegister


@dataclass(frozen=True, slots=True)
class Target:
    """The chain and the key of a request."""

    chain: ChainSet
    key_path: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request does not contain: its agent, idempotency key, time and mode."""

    agent: AgentSet
    idempotency_key: str
    now_ms: TimeMs
    mode: Literal["submit"] | None = None


def created_at_ms(intent: AnyIntent) -> TimeMs:
    """Return when the gateway made an intent."""
    return intent.expires_at_ms - EXPIRY_MS_DEFAULT


def target(request: TransactionRequest, agent: AgentSet, directory: Directory) -> Target:
    """Return the chain and the key of a request.

    Raises ``IntentFormError`` for an unknown chain, and ``KeyChoiceError``.
    """
    chain = _chain(request.chain, directory.registered)
    given = request.chain
    # The name as given comes first: keys/base-signer for "base", whatever the chain is called.
    network = chain.name if is_chain_id(given) else str(given)
    return Target(chain, _key_path(request.signing_key_path, agent, network, chain, directory))


def transaction_intent(
    request: TransactionRequest, found: Target, origin: Origin, org: str
) -> TransactionIntent:
    """Return the intent of a transaction; raise ``IntentFormError``."""
    members = _origin_members(request, found, origin, org) | {
        "tx_type": request.tx_type,
        "to": request.to,
        "value_wei": request.value,
        "data": request.data,
        "gas_limit": request.gas_limit,
        "gas_price_wei": request.gas_price,
        "max_fee_per_gas_wei": request.max_fee_per_gas,
        "max_priority_fee_per_gas_wei": request.max_priority_fee_per_gas,
        "access_list": request.access_list,
        "max_fee_per_blob_gas_wei": request.max_fee_per_blob_gas,
        "blob_versioned_hashes": request.blob_versioned_hashes,
        "authorization_list": request.authorization_list,
        "nonce": request.nonce,
        "simulate_first": request.simulate_first,
    }
    try:
        return TransactionIntent(**members)
    except ValidationError as error:
        raise _form_error(error) from None


def intent_of(request: TransactionRequest, found: Target, origin: Origin, org: str) -> AnyIntent:
    """Return the intent of a request of any kind; raise ``IntentFormError``."""
    if not isinstance(request, SignRequest):
        return transaction_intent(request, found, origin, org)
    members = _origin_members(request, found, origin, org)
    try:
        if request.intent_type == "personal_sign":
            return MessageIntent(**members, message=message_bytes(request)[0])
        if request.intent_type == "typed_data":
            return TypedDataIntent(**members, typed_data=request.typed_data or "")
    except ValidationError as error:
        raise _form_error(error) from None
    return transaction_intent(request, found, origin, org)


def message_bytes(request: SignRequest) -> tuple[str, MessageEncoding]:
    """Return the bytes of a message in hex, and how its text was read.

    Valid hex with 0x and whole bytes means bytes unless ``message_encoding`` says otherwise, as
    wallets do. Raises ``IntentFormError``.
    """
    text = request.message or ""
    in_hex = bool(_BYTES.fullmatch(text))
    encoding = request.message_encoding or ("hex" if in_hex else "utf8")
    try:
        if encoding == "utf8":
            return str(read.whole_bytes(f"0x{text.encode().hex()}")), "utf8"
        return str(read.data(text)), "hex"
    except ValueError as error:
        raise IntentFormError([("message", str(error))]) from None


def _origin_members(
    request: TransactionRequest, found: Target, origin: Origin, org: str
) -> dict[str, Any]:
    return {
        "mode": origin.mode,
        "org": org,
        "account": origin.agent.account,
        "agent": origin.agent.agent,
        "chain_id": found.chain.chain_id,
        "key_path": found.key_path,
        "client_share": request.client_share,
        "idempotency_key": origin.idempotency_key,
        "expires_at_ms": origin.now_ms + EXPIRY_MS_DEFAULT,
    }


def _form_error(error: ValidationError) -> IntentFormError:
    """Return the error of fields that are valid alone, such as a list that is too long."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return IntentFormError((str(one["loc"][0]), validation_message(one)) for one in found)


def _chain(given: str | int, registered: Registered) -> ChainSet:
    if (found := find_chain(registered, given)) is not None:
        return found
    if NETWORKS.get(str(given), KeyChain.ETHEREUM) is not KeyChain.ETHEREUM:
        why = f"is {given}, whose keys hold addresses only: Sixgate signs for EVM chains"
    else:
        names = [
            name for one in list(registered.chains.values()) for name in (one.name, *one.aliases)
        ]
        hint = did_you_mean(str(given), names) or ": see GET /v1/chains"
        why = f"is not registered{hint}"
    raise IntentFormError([("chain", why)])


def _key_path(
    named: str | None, agent: AgentSet, given: str, chain: ChainSet, directory: Directory
) -> str:
    """Return the key's path. The signer refuses a path without a key or a grant and records it."""
    networks = (given,) if given == chain.name else (given, chain.name)
    own = key_paths.agent_key_path(agent.agent)
    candidates = [named] if named else [own, *map(key_paths.network_key_path, networks)]
    vaults = list(_vaults_with(candidates, agent, directory))
    evm_networks = (chain.name, *chain.aliases)
    for network in networks:
        found = key_paths.resolve(
            agent.agent, network, named, vaults, evm_networks=evm_networks, granted=agent.key_paths
        )
        if isinstance(found, Resolved):
            break
    return found.path if isinstance(found, Resolved) else _path_without_key(found, agent)


def _path_without_key(found: Unresolved, agent: AgentSet) -> str:
    if found.code == "ambiguous":
        detail = f"{found.detail}: delete one of the two, or name another key"
        raise KeyChoiceError("key_ambiguous", detail)
    if found.code == "path_foreign":
        own = f"agents/{agent.agent}/"
        detail = (
            f"signing_key_path {found.path} is not one of this agent: it must begin with keys/, "
            f"wallets/, {own}keys/ or {own}chains/"
        )
        raise KeyChoiceError("key_not_granted", detail)
    if found.path is None:
        raise IntentFormError([("signing_key_path", f"is required: {found.detail}")])
    return found.path


def _vaults_with(paths: list[str], agent: AgentSet, directory: Directory) -> Iterator[VaultKeys]:
    """Yield the vaults with a key at one of the paths.

    Among the vaults of secrets, only those count whose private key the agent may sign with. One
    that was imported as a signing key is the same key, so it counts once.
    """
    held: dict[str, set[str]] = defaultdict(set)
    account, registered = agent.account, directory.registered
    grants = registered.access.get(agent.agent, ())
    for owner, vault in list(registered.vaults):
        for path in paths if owner == account else ():
            stored = directory.vaults.secrets.history((account, vault, path))
            if stored and stored[0].kind in KEY_KINDS and may_sign(agent, grants, vault, path):
                held[vault].add(path)
    for path in paths:
        key = directory.vaults.keys.find(account, path)
        if key and not (key.imported and any(path in found for found in held.values())):
            held[key.vault].add(path)
    for vault, found in sorted(held.items()):
        yield VaultKeys(vault, found)

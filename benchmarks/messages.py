"""Typed data, messages and delegations: check, decode, hash and sign, against eth-account."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from eth_account.messages import encode_defunct, encode_typed_data

from benchmarks import fixtures
from benchmarks.measure import Figure, Work, interleaved
from schemas.intents.intent import AuthorizationIntent, MessageIntent, TypedDataIntent
from schemas.intents.reasons import Gate
from schemas.registry.policy import Policy, TypedDataDomain
from signer.core.account import Account
from signer.core.draft import MessageKind, delegation
from signer.core.ethereum.signing import sign_message_digest
from signer.core.rules import RULES
from signer.core.rules.decision import Passed
from signer.custody.handle import KeyHandle
from signer.keys.addresses.derivation import address_of
from sixgate.clocks import wall_ms

RATIO_MAX = 0.5
ROUNDS, CALLS = 15, 100
BASE, NONCE = 8453, 7
USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
DELEGATE = "0x" + "22" * 20
MESSAGE = b"Please sign in to example.com, 1 January 2026"
POLICY = Policy(
    message_signing_enabled=True,
    delegate_allowlist=(DELEGATE,),
    eip712_domain_allowlist=(
        TypedDataDomain(verifying_contract=USDC.lower(), primary_types=("Permit",)),
    ),
)


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    secret = secrets.token_bytes(32)
    peer, permit = fixtures.peer_account(secret), _permit()
    terms = {"chainId": BASE, "address": DELEGATE, "nonce": NONCE}

    def typed_data() -> bytes:
        return bytes(peer.sign_message(encode_typed_data(full_message=permit)).signature)

    def message() -> bytes:
        return bytes(peer.sign_message(encode_defunct(MESSAGE)).signature)

    def delegation() -> bytes:
        made = peer.sign_authorization(terms)
        v = bytes([27 + made.y_parity])
        return bytes(made.r.to_bytes(32, "big") + made.s.to_bytes(32, "big") + v)

    intents = _intents(json.dumps(permit, separators=(",", ":")))  # as producers send it
    yield _row("USDC permit", _ours(intents[0], secret), typed_data)
    yield _row("message of 45 bytes", _ours(intents[1], secret), message)
    yield _row("EIP-7702 authorization", _ours(intents[2], secret), delegation)


def _row(what: str, ours: Work, theirs: Work) -> Figure:
    assert ours() == theirs()
    times = interleaved({"ours": ours, "theirs": theirs}, ROUNDS, CALLS)
    return Figure(
        "messages",
        f"{what}: check rules, decode, hash, sign, verify the signer",
        times["ours"],
        "µs",
        "eth-account hashes and signs",
        times["theirs"],
        f"≤ {RATIO_MAX} x",
        times["ours"] <= RATIO_MAX * times["theirs"],
    )


def _intents(permit: str) -> tuple[TypedDataIntent, MessageIntent, AuthorizationIntent]:
    common: dict[str, Any] = {
        "org": "bench", "account": fixtures.ACCOUNT, "agent": fixtures.AGENT, "chain_id": BASE,
        "key_path": fixtures.KEY_PATH, "idempotency_key": "messages",
        "expires_at_ms": wall_ms() + 3_600_000,
    }  # fmt: skip
    return (
        TypedDataIntent(**common, typed_data=permit),
        MessageIntent(**common, message=f"0x{MESSAGE.hex()}"),
        AuthorizationIntent(**common, delegate=DELEGATE, nonce=NONCE),
    )


def _ours(intent: MessageKind, secret: bytes) -> Work:
    """Return the signer's work from a parsed intent to its signature."""
    key, account = KeyHandle(bytearray(secret)), Account(account=fixtures.ACCOUNT)
    address = address_of(key.public_key())
    facts = fixtures.facts(wall_ms(), fixtures.agent_entry(fixtures.new_agent()), None)
    judge = RULES[intent.kind][Gate.ALLOWLIST]

    def run() -> bytes:
        decision = judge(intent, POLICY, account, facts)
        assert isinstance(decision, Passed)
        read = decision.signable
        if isinstance(intent, AuthorizationIntent):
            read = delegation(intent, NONCE)
        assert read is not None
        return sign_message_digest(read.digest, key, address)

    return run


def _permit() -> dict[str, Any]:
    domain = {"name": "string", "version": "string", "chainId": "uint256"}
    values = {"value": "uint256", "nonce": "uint256", "deadline": "uint256"}
    return {
        "types": {
            "EIP712Domain": _members(domain | {"verifyingContract": "address"}),
            "Permit": _members({"owner": "address", "spender": "address"} | values),
        },
        "primaryType": "Permit",
        "domain": {
            "name": "USD Coin", "version": "2", "chainId": BASE, "verifyingContract": USDC,
        },
        "message": {
            "owner": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
            "spender": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",
            "value": "1000000",
            "nonce": 0,
            "deadline": 1_800_000_000,
        },
    }  # fmt: skip


def _members(types: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": field_type} for name, field_type in types.items()]

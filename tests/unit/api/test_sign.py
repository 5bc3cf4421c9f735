"""The unified sign route: messages, typed data and transactions of every type."""

from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct, encode_typed_data

from schemas.registry.policy import TypedDataDomain
from tests.harness.api import Api
from tests.harness.builders.intent_kinds import delegation_by
from tests.harness.signing_agents import FEES, TO, SigningAgent, refusal, sender_of, signing_agent

CONTRACT = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
DELEGATE = "0x" + "d1" * 20
SECRET = bytes(31) + b"\x07"
MESSAGE = {"intent_type": "personal_sign", "chain": "ethereum", "message": "Hello from my agent!"}
PERMIT: dict[str, Any] = {
    "types": {
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    },
    "primaryType": "Permit",
    "domain": {
        "name": "USD Coin",
        "version": "2",
        "chainId": 1,
        "verifyingContract": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
    },
    "message": {
        "owner": TO,
        "spender": TO,
        "value": "1000000",
        "nonce": "0",
        "deadline": "1735689600",
    },
}
MAIL: dict[str, Any] = {
    "types": {"Mail": [{"name": "text", "type": "string"}]},
    "primaryType": "Mail",
    "domain": {"name": "mail", "chainId": 1},
    "message": {"text": "hi"},
}
TRANSACTION = {"intent_type": "transaction", "chain": "base", "to": TO, "value": "0"} | FEES
LEGACY = {"gas_price": "1000000000", "gas_limit": 100_000}
PRICED = {"max_fee_per_gas": "30000000000", "max_priority_fee_per_gas": "1", "gas_limit": 100_000}


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    """An agent that may sign everything, and that no test changes."""
    agent = signing_agent(api)
    agent.limit(
        tx_max_fee_eth="unlimited",
        message_signing_enabled=True,
        eip712_default_policy="allow",
        eip712_domain_allowlist=(TypedDataDomain(verifying_contract=CONTRACT),),
        delegate_allowlist=(DELEGATE,),
    )
    return agent


def test_a_message_is_signed(agent: SigningAgent) -> None:
    reply = agent.sign(**MESSAGE)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    signable = encode_defunct(text=MESSAGE["message"])
    assert EthAccount.recover_message(signable, signature=body["signature"]) == agent.address
    assert (body["from"], body["from_address"]) == (agent.address, agent.address)
    assert (body["intent_type"], body["message_encoding"]) == ("personal_sign", "utf8")
    assert len(body["message_hash"]) == 66


@pytest.mark.parametrize(
    ("message", "given", "signed", "encoding"),
    [
        ("0xC0ffee", None, b"\xc0\xff\xee", "hex"),
        ("0xC0ffee", "hex", b"\xc0\xff\xee", "hex"),
        ("0xC0ffee", "utf8", b"0xC0ffee", "utf8"),
        ("0xabc", None, b"0xabc", "utf8"),
        ("0x", None, b"0x", "utf8"),
        ("0X12", None, b"0X12", "utf8"),
        ("0xzz", None, b"0xzz", "utf8"),
        ("", None, b"", "utf8"),
        ("h\u00e9", None, "h\u00e9".encode(), "utf8"),
    ],
)
def test_a_message_is_text_unless_it_is_hex(
    agent: SigningAgent, message: str, given: str | None, signed: bytes, encoding: str
) -> None:
    sent = MESSAGE | {"message": message} | ({"message_encoding": given} if given else {})
    body = agent.sign(**sent).json()
    signer = EthAccount.recover_message(encode_defunct(signed), signature=body["signature"])
    assert (signer, body["message_encoding"]) == (agent.address, encoding)


def test_typed_data_with_numbers_in_strings_and_no_domain_type_is_signed(
    agent: SigningAgent,
) -> None:
    reply = agent.sign(intent_type="typed_data", chain="ethereum", typed_data=PERMIT)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    numbers = {name: int(PERMIT["message"][name]) for name in ("value", "nonce", "deadline")}
    types = PERMIT["types"] | {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ]
    }
    signable = encode_typed_data(
        full_message=PERMIT | {"types": types, "message": PERMIT["message"] | numbers}
    )
    assert EthAccount.recover_message(signable, signature=body["signature"]) == agent.address
    assert (body["primary_type"], body["verifying_contract"]) == ("Permit", CONTRACT)
    assert len(body["typed_data_hash"]) == 66


def test_an_agent_made_over_http_alone_signs_type_4(api: Api) -> None:
    agent = signing_agent(api)
    members = {"authorization_list": [delegation_by(SECRET, address=DELEGATE)]}
    refused = agent.sign(**TRANSACTION, tx_type=4, **members)
    assert refusal(refused) == (403, "delegate_not_allowed")
    listed = {"delegate_allowlist": [DELEGATE]}
    assert api.client.patch(f"/v1/agents/{agent.id}", json=listed, headers=api.person).is_success
    reply = agent.sign(**TRANSACTION, tx_type=4, **members)
    assert reply.status_code == 200, reply.text
    assert sender_of(reply.json()["signed_tx"]) == agent.address


@pytest.mark.parametrize(
    ("tx_type", "members"),
    [
        (0, LEGACY),
        (1, LEGACY | {"access_list": [{"address": TO, "storageKeys": ["0x" + "AB" * 32]}]}),
        (2, PRICED),
        (
            3,
            PRICED | {"max_fee_per_blob_gas": 10**9, "blob_versioned_hashes": ["0x01" + "AA" * 31]},
        ),
        (4, PRICED | {"authorization_list": [delegation_by(SECRET, address=DELEGATE)]}),
    ],
)
def test_a_transaction_of_every_type_is_signed(
    agent: SigningAgent, tx_type: int, members: dict[str, Any]
) -> None:
    body = {"intent_type": "transaction", "chain": "base", "to": TO, "value": "0"}
    listed = members.get("authorization_list", [])
    parts = [one | {"r": str(one["r"]), "s": hex(one["s"])} for one in listed]
    sent = body | members | ({"authorization_list": parts} if parts else {})
    reply = agent.sign(**sent, tx_type=tx_type, sign_only=True)
    assert reply.status_code == 200, reply.text
    signed = reply.json()
    assert (signed["tx_type"], signed["status"]) == (tx_type, "sign_only")
    assert sender_of(signed["signed_tx"]) == agent.address
    assert signed["from"] == signed["from_address"] == agent.address
    assert signed["tx_hash"].startswith("0x")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (MESSAGE, "message_signing_off"),
        ({"intent_type": "typed_data", "chain": "ethereum", "typed_data": MAIL},
         "domain_not_allowed"),
        ({"intent_type": "typed_data", "chain": "ethereum", "typed_data": PERMIT},
         "spending_not_allowed"),
    ],
)  # fmt: skip
def test_nothing_but_transactions_is_signed_by_default(
    api: Api, body: dict[str, Any], code: str
) -> None:
    reply = signing_agent(api).sign(**body)
    assert refusal(reply) == (403, code)
    assert reply.json()["transaction_id"] in reply.json()["detail"]


def test_guardrails_of_transactions_hold_for_the_unified_route(api: Api) -> None:
    agent = signing_agent(api, tx_max_value_eth="0.5")
    assert refusal(agent.sign(**TRANSACTION | {"value": "0.6"})) == (403, "value_too_high")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"intent_type": "hash", "hash": "0x" + "11" * 32}, ["hash", "intent_type"]),
        ({"hash": "0x" + "11" * 32}, ["hash"]), ({"raw_transaction": "0x01"}, ["raw_transaction"]),
        ({"tron_transaction": {"a": 1}}, ["tron_transaction"]), ({"memo": "x"}, ["memo"]),
        ({"sign_only": False}, ["sign_only"]), ({"message": None}, ["message"]),
        ({"message": 5}, ["message"]),
        ({"message_encoding": "latin1"}, ["message_encoding"]),
        ({"message": "0xzz", "message_encoding": "hex"}, ["message"]),
        ({"value": "1"}, ["value"]), ({"to": TO}, ["to"]), ({"typed_data": MAIL}, ["typed_data"]),
        ({"agent": "x"}, ["agent"]), ({"expires_at_ms": 1}, ["expires_at_ms"]),
        ({"message": "a" * (128 * 1024 + 1)}, ["message"]),
    ],
)  # fmt: skip
def test_members_that_are_wrong_or_of_another_kind_are_named(
    agent: SigningAgent, changes: dict[str, Any], fields: list[str]
) -> None:
    reply = agent.sign(**MESSAGE | changes)
    assert refusal(reply) == (400, "validation")
    assert sorted(reply.json()["fields"]) == fields


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"intent_type": "transaction", "chain": "base"}, "to"),
        ({"intent_type": "transaction", "chain": "base", "to": None}, "to"),
        (TRANSACTION | {"message": "x"}, "message"),
        ({"intent_type": "typed_data", "chain": "base"}, "typed_data"),
        ({"intent_type": "typed_data", "chain": "base", "typed_data": "{}"}, "typed_data"),
        ({"chain": "base"}, "intent_type"),
        ({"intent_type": "personal_sign", "message": "x"}, "chain"),
    ],
)
def test_missing_members_are_named(agent: SigningAgent, body: dict[str, Any], field: str) -> None:
    reply = agent.post("/sign", body)
    assert refusal(reply) == (400, "validation")
    assert list(reply.json()["fields"]) == [field]


def test_members_of_other_kinds_that_ask_for_nothing_are_accepted(agent: SigningAgent) -> None:
    empty = {"hash": None, "raw_transaction": None, "typed_data": None, "value": "0", "to": None}
    assert agent.sign(**MESSAGE, **empty).status_code == 200


@pytest.mark.parametrize(
    "typed_data",
    [{}, {**MAIL, "more": 1}, {**MAIL, "message": {"text": 5}}, {**MAIL, "domain": {"chainId": 5}}],
)
def test_typed_data_that_breaks_a_rule_is_invalid(
    agent: SigningAgent, typed_data: dict[str, Any]
) -> None:
    reply = agent.sign(intent_type="typed_data", chain="ethereum", typed_data=typed_data)
    assert refusal(reply) == (400, "invalid_typed_data")


def test_typed_data_that_makes_no_intent_is_refused_before(agent: SigningAgent) -> None:
    typed_data = MAIL | {"message": {"text": "a" * (160 * 1024 + 1)}}
    reply = agent.sign(intent_type="typed_data", chain="ethereum", typed_data=typed_data)
    assert list(reply.json()["fields"]) == ["typed_data"]


def test_a_hash_is_never_signed_as_a_message(agent: SigningAgent) -> None:
    reply = agent.sign(**MESSAGE | {"message": "0x" + "11" * 32})
    assert refusal(reply) == (403, "raw_hash")


def test_an_idempotency_key_is_refused_where_it_would_have_no_effect(agent: SigningAgent) -> None:
    reply = agent.post("/sign", MESSAGE, Idempotency_Key="x")
    assert list(reply.json()["fields"]) == ["Idempotency-Key"]

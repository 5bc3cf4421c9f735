"""The documented client, unmodified but for its base URL: messages, typed data, types 0 to 4."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct, encode_typed_data
from oneclaw import OneclawClient

from schemas.registry.policy import Policy
from schemas.registry.records import PolicySet
from sixgate.authoring.operator import register
from sixgate.clocks import wall_ms
from tests.harness.api_server import ServedApi, data_of, refusal_of, served_api
from tests.harness.builders.intent_kinds import delegation_by
from tests.harness.documented_agents import LEGACY, TO, TYPE_2, Agent, new_agent, sender_of

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SECRET = bytes(31) + b"\x07"
DELEGATE = "0x" + "d1" * 20
MESSAGE = {"intent_type": "personal_sign", "chain": "ethereum", "message": "Hello!"}
DOMAIN = {"name": "Notes", "version": "1", "chainId": 1, "verifyingContract": USDC}
DOMAIN_TYPE = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
NOTE = {
    "types": {"Note": [{"name": "number", "type": "uint256"}]},
    "primaryType": "Note",
    "domain": DOMAIN,
    "message": {"number": "1000000"},
}
PERMIT_MEMBERS = {"owner": "address", "spender": "address", "value": "uint256",
                  "nonce": "uint256", "deadline": "uint256"}  # fmt: skip
PERMIT = {
    "types": {"Permit": [{"name": name, "type": type_} for name, type_ in PERMIT_MEMBERS.items()]},
    "primaryType": "Permit",
    "domain": DOMAIN,
    "message": {"owner": TO, "spender": TO, "value": "1", "nonce": "0", "deadline": "1735689600"},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with served_api(tmp_path_factory.mktemp("documented") / "data") as served:
        yield served


@pytest.fixture(scope="module")
def person(served: ServedApi) -> OneclawClient:
    return served.person


def typed(agent: Agent, typed_data: dict[str, Any]) -> Any:
    return agent.client.agents.sign_intent(
        agent.id, intent_type="typed_data", chain="ethereum", typed_data=typed_data
    )


def recovered(typed_data: dict[str, Any], signature: str) -> str:
    """Return the signer of typed data, whose numbers are strings and whose domain has no type."""
    message = {
        name: int(value) if value.isdecimal() else value
        for name, value in typed_data["message"].items()
    }
    types = typed_data["types"] | {"EIP712Domain": DOMAIN_TYPE}
    signable = encode_typed_data(full_message=typed_data | {"types": types, "message": message})
    return str(EthAccount.recover_message(signable, signature=signature))


def test_step_10_a_message_is_signed_once_enabled(served: ServedApi, person: OneclawClient) -> None:
    agent = new_agent(served, person)
    refusal_of(agent.client.agents.sign_intent(agent.id, **MESSAGE), 403)
    data_of(person.agents.update(agent.id, message_signing_enabled=True))
    signed = data_of(agent.client.agents.sign_intent(agent.id, **MESSAGE))
    message = encode_defunct(text="Hello!")
    signer = EthAccount.recover_message(message, signature=signed["signature"])
    assert signer == agent.address == signed["from"]
    assert len(signed["message_hash"]) == 66


def test_step_10_typed_data_is_denied_then_listed(served: ServedApi, person: OneclawClient) -> None:
    agent = new_agent(served, person)
    refusal_of(typed(agent, NOTE), 403)
    listed = [{"verifying_contract": USDC}]
    changed = data_of(person.agents.update(agent.id, eip712_domain_allowlist=listed))
    assert changed["eip712_domain_allowlist"][0]["verifying_contract"] == USDC
    signed = data_of(typed(agent, NOTE))
    assert recovered(NOTE, signed["signature"]) == agent.address == signed["from"]
    assert len(signed["typed_data_hash"]) == 66


def test_step_10_a_permit_needs_a_listed_domain_whatever_the_default(
    served: ServedApi, person: OneclawClient
) -> None:
    agent = new_agent(served, person)
    data_of(person.agents.update(agent.id, eip712_default_policy="allow"))
    data_of(typed(agent, NOTE))
    refusal_of(typed(agent, PERMIT), 403)
    listed = [{"verifying_contract": USDC}]
    data_of(person.agents.update(agent.id, eip712_domain_allowlist=listed))
    signed = data_of(typed(agent, PERMIT))
    assert recovered(PERMIT, signed["signature"]) == agent.address


@pytest.mark.parametrize(
    ("tx_type", "members"),
    [
        (0, LEGACY),
        (1, LEGACY | {"access_list": [{"address": TO, "storageKeys": ["0x" + "ab" * 32]}]}),
        (2, TYPE_2),
        (3, TYPE_2 | {"max_fee_per_blob_gas": "1000000000",
                      "blob_versioned_hashes": ["0x01" + "aa" * 31]}),
        (4, TYPE_2 | {"authorization_list": [delegation_by(SECRET, address=DELEGATE)]}),
    ],
)  # fmt: skip
def test_step_10_a_transaction_of_every_type_is_signed_and_not_sent(
    served: ServedApi, person: OneclawClient, tx_type: int, members: dict[str, Any]
) -> None:
    agent = new_agent(served, person)
    # No documented guardrail allows a delegation, so the organisation's own policy does.
    policy = Policy(delegate_allowlist=(DELEGATE,), tx_max_fee_eth="unlimited")
    entry = PolicySet(policy_id=agent.id, policy=policy)
    register(served.api.node, served.api.folder.admin(), [entry], wall_ms())
    parts = {
        name: [one | {"r": hex(one["r"]), "s": hex(one["s"])} for one in value]
        for name, value in members.items()
        if name == "authorization_list"
    }
    signed = data_of(
        agent.client.agents.sign_intent(
            agent.id, intent_type="transaction", chain="base", tx_type=tx_type, to=TO, value="0",
            **members | parts,
        )
    )  # fmt: skip
    assert (signed["tx_type"], signed["status"]) == (tx_type, "sign_only")
    assert sender_of(signed["signed_tx"]) == agent.address == signed["from_address"]


@pytest.mark.parametrize("members", [{"hash": "0x" + "11" * 32}, {"raw_transaction": "0x02"}])
def test_step_10_raw_digests_and_foreign_transactions_are_refused_by_name(
    served: ServedApi, person: OneclawClient, members: dict[str, str]
) -> None:
    agent = new_agent(served, person)
    [name] = members
    refused = agent.client.agents.sign_intent(agent.id, **MESSAGE | members)
    assert name in refusal_of(refused, 400)
    whole = {"intent_type": name, "chain": "ethereum"} | members
    assert "intent_type" in refusal_of(agent.client.agents.sign_intent(agent.id, **whole), 400)

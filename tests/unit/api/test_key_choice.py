"""Which key signs: the named one, the agent's own, the network's; never one of two."""

import secrets
from typing import Any

import pytest

from schemas.keys.vault_events import SecretKind
from schemas.registry.access import Grant
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.key_chains import KeyChain
from schemas.registry.records import AccessSet, VaultCreated
from sixgate.authoring import operator
from sixgate.authoring.operator import Admin, KeyTarget
from sixgate.authoring.vault_orders import NewSecret, Orderer, VaultId, store
from sixgate.clocks import wall_ms
from tests.harness.api import ACCOUNT, Api
from tests.harness.signing_agents import SigningAgent, refusal, sender_of, signing_agent


@pytest.fixture
def keyless(api: Api) -> SigningAgent:
    """An agent that may use every path of every vault, and has no key of its own."""
    agent = signing_agent(api, key=False)
    everything = Grant(effect="allow", vault="*", paths="**", rights=("read",))
    agent.registers(AccessSet(agent=agent.id, grants=(everything,)))
    return agent


def provision(api: Api, path: str) -> str:
    """Make a key at a path; return its address."""
    admin = Admin(api.node, api.folder.admin(), wall_ms())
    target = KeyTarget(ACCOUNT, path, KeyChain.ETHEREUM, AGENT_KEYS)
    return str(operator.provision(admin, target)["address"])


def store_secret(agent: SigningAgent, vault: str, path: str, kind: SecretKind) -> None:
    """Store a secret in a vault, which is created if it is new."""
    api = agent.api
    if (ACCOUNT, vault) not in api.services.backend.read.registered.vaults:
        agent.registers(VaultCreated(account=ACCOUNT, vault=vault, mode="envelope"))
    by = Orderer(api.node, api.folder.admin(), wall_ms())
    store(by, VaultId(ACCOUNT, vault), NewSecret(path, 1, kind, secrets.token_bytes(32)))


def signer_of(agent: SigningAgent, **changes: Any) -> str:
    reply = agent.submit(**changes)
    assert reply.status_code == 201, reply.text
    return sender_of(reply.json()["signed_tx"]).lower()


def test_the_networks_key_signs_for_an_agent_without_its_own(
    api: Api, keyless: SigningAgent
) -> None:
    address = provision(api, "keys/optimism-signer")
    assert signer_of(keyless, chain="optimism") == address
    with_own = signing_agent(api)
    everything = Grant(effect="allow", vault="*", paths="**", rights=("read",))
    with_own.registers(AccessSet(agent=with_own.id, grants=(everything,)))
    assert signer_of(with_own, chain="optimism") == with_own.address.lower()
    assert signer_of(with_own, chain="optimism", signing_key_path="keys/optimism-signer") == address


def test_the_name_as_given_comes_before_the_registered_one(api: Api, keyless: SigningAgent) -> None:
    chain = next(one for one in api.services.backend.read.registered.chains.values() if one.aliases)
    alias = chain.aliases[0]
    by_name = provision(api, f"keys/{chain.name}-signer")
    assert signer_of(keyless, chain=alias) == by_name
    by_alias = provision(api, f"keys/{alias}-signer")
    assert signer_of(keyless, chain=alias) == by_alias
    assert signer_of(keyless, chain=chain.name) == by_name
    assert signer_of(keyless, chain=str(chain.chain_id)) == by_name


def test_a_key_without_a_grant_is_refused_by_the_signer(api: Api) -> None:
    agent = signing_agent(api)
    provision(api, "keys/not-granted")
    reply = agent.submit(signing_key_path="keys/not-granted")
    assert refusal(reply) == (403, "key_not_granted")
    assert reply.json()["transaction_id"]


def test_a_grant_for_everything_does_not_open_another_agents_paths(
    api: Api, keyless: SigningAgent
) -> None:
    victim = signing_agent(api)
    for kind in ("chains/ethereum/private_key", "keys/x"):
        reply = keyless.submit(signing_key_path=f"agents/{victim.id}/{kind}")
        assert refusal(reply) == (403, "key_not_granted")


def test_private_keys_at_one_path_of_two_vaults_are_ambiguous(keyless: SigningAgent) -> None:
    path = "keys/twice"
    for vault in ("one", "two"):
        store_secret(keyless, vault, path, "private_key")
    reply = keyless.submit(signing_key_path=path)
    assert refusal(reply) == (409, "key_ambiguous")
    assert "one and two" in reply.json()["detail"]


def test_a_stored_key_beside_a_generated_one_is_ambiguous(api: Api, keyless: SigningAgent) -> None:
    provision(api, "keys/both")
    store_secret(keyless, "one", "keys/both", "private_key")
    assert refusal(keyless.submit(signing_key_path="keys/both")) == (409, "key_ambiguous")


def test_what_an_agent_may_not_use_makes_nothing_ambiguous(api: Api, keyless: SigningAgent) -> None:
    path = "keys/hidden"
    address = provision(api, path)
    store_secret(keyless, "one", path, "private_key")
    only_keys = Grant(effect="allow", vault=AGENT_KEYS, paths="**", rights=("sign",))
    keyless.registers(AccessSet(agent=keyless.id, grants=(only_keys,)))
    assert signer_of(keyless, signing_key_path=path) == address


def test_a_secret_that_is_no_private_key_makes_nothing_ambiguous(
    api: Api, keyless: SigningAgent
) -> None:
    path = "keys/note"
    address = provision(api, path)
    store_secret(keyless, "one", path, "note")
    assert signer_of(keyless, signing_key_path=path) == address


def test_a_deactivated_key_signs_nothing_and_no_other_key_replaces_it(
    api: Api, keyless: SigningAgent
) -> None:
    provision(api, "keys/arbitrum-signer")
    url = f"/v1/agents/{keyless.id}/signing-keys"
    api.client.post(url, json={"chain": "ethereum"}, headers=api.person)
    api.client.delete(f"{url}/ethereum", headers=api.person)
    assert refusal(keyless.submit(chain="arbitrum")) == (403, "key_inactive")

"""Key resolution: which key an agent's request means."""

import pytest

from schemas.registry.key_chains import KeyChain
from signer.keys.paths import (
    Resolved,
    Unresolved,
    VaultKeys,
    agent_key_path,
    chain_at,
    network_key_path,
    resolve,
)

OWN = agent_key_path("alice")
MAIN = VaultKeys("__agent-keys", {OWN, "keys/base-signer", "keys/solana-signer", "wallets/cold"})


def code(found: Resolved | Unresolved) -> str:
    return found.code if isinstance(found, Unresolved) else f"{found.vault}:{found.path}"


@pytest.mark.parametrize("network", ["ethereum", "base", "sepolia"])
def test_an_agents_own_key_of_the_networks_chain_goes_first(network: str) -> None:
    assert resolve("alice", network, None, [MAIN]) == Resolved("__agent-keys", OWN)


@pytest.mark.parametrize(("network", "path"), [("base", "keys/base-signer")])
def test_without_one_the_networks_key_is_taken(network: str, path: str) -> None:
    assert resolve("bob", network, None, [MAIN]) == Resolved("__agent-keys", path)


def test_an_agents_key_of_another_chain_is_not_taken() -> None:
    assert resolve("alice", "solana", None, [MAIN]) == Resolved(
        "__agent-keys", "keys/solana-signer"
    )
    own = VaultKeys("v", {agent_key_path("alice", KeyChain.SOLANA), OWN})
    assert code(resolve("alice", "solana", None, [own, MAIN])) == (
        "v:agents/alice/chains/solana/private_key"
    )


def test_a_missing_key_is_reported_with_the_last_path_looked_up() -> None:
    found = resolve("bob", "optimism", None, [MAIN])
    assert isinstance(found, Unresolved)
    assert (found.code, found.path) == ("not_found", "keys/optimism-signer")


@pytest.mark.parametrize("network", ["dogecoin", "", "Base", "base/../x", "../keys", "b" * 99])
def test_an_unknown_network_has_no_keys(network: str) -> None:
    assert code(resolve("alice", network, None, [MAIN])) == "chain_unknown"


def test_a_registered_network_takes_ethereums_keys() -> None:
    assert code(resolve("alice", "anvil", None, [MAIN])) == "chain_unknown"
    found = resolve("alice", "anvil", None, [MAIN], evm_networks={"anvil"})
    assert found == Resolved("__agent-keys", OWN)


def test_a_registered_network_whose_name_makes_no_path_is_unknown() -> None:
    assert code(resolve("alice", "l2.test", None, [MAIN], evm_networks={"l2.test"})) == (
        "chain_unknown"
    )


@pytest.mark.parametrize("path", ["keys/base-signer", "wallets/cold", OWN, "agents/alice/keys/a"])
def test_a_named_path_is_taken_where_its_form_allows_it(path: str) -> None:
    vault = VaultKeys("v", {path})
    assert resolve("alice", "base", path, [vault]) == Resolved("v", path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "keys",
        "keys/",
        "/keys/a",
        "keys//a",
        "keys/../wallets/a",
        "agents/alice/keys/../../bob/keys/a",
        "keys/a%2Fb",
        "keys/%2e%2e/a",
        "keys\\a",
        "keys/a\n",
        "keys/a\x00",
        "keys/A",
        "secret/a",
        "KEYS/a",
        "keys/é",
        "keys/" + "a" * 400,
    ],
)
def test_what_is_no_key_path_is_refused_even_where_such_a_key_was_stored(path: str) -> None:
    assert code(resolve("alice", "base", path, [VaultKeys("v", {path})])) == "path_malformed"


@pytest.mark.parametrize(
    "path",
    [
        "agents/bob/keys/a",
        "agents/bob/chains/ethereum/private_key",
        "agents/alice2/keys/a",
        "agents/alic/keys/a",
        "agents/alice/private_key",
        "agents/alice/other/a",
    ],
)
def test_another_agents_path_is_refused_unless_it_was_granted_by_name(path: str) -> None:
    vault = VaultKeys("v", {path})
    assert code(resolve("alice", "base", path, [vault])) == "path_foreign"
    assert resolve("alice", "base", path, [vault], granted={path}) == Resolved("v", path)


def test_a_path_in_two_vaults_means_neither() -> None:
    both = [MAIN, VaultKeys("other", {"wallets/cold", OWN})]
    for named in ("wallets/cold", None):
        found = resolve("alice", "base", named, both)
        assert isinstance(found, Unresolved)
        assert (found.code, found.path) == ("ambiguous", None)
        assert "__agent-keys and other" in found.detail


def test_an_ambiguous_own_key_is_not_passed_over_for_the_networks() -> None:
    both = [VaultKeys("a", {OWN}), VaultKeys("b", {OWN}), MAIN._replace(paths={"keys/base-signer"})]
    assert code(resolve("alice", "base", None, both)) == "ambiguous"


@pytest.mark.parametrize(
    ("path", "chain"),
    [
        (agent_key_path("alice", KeyChain.TRON), KeyChain.TRON),
        (network_key_path("base"), KeyChain.ETHEREUM),
        (network_key_path("solana"), KeyChain.SOLANA),
        ("keys/hot", None),
        ("keys/mine-signer", None),
        ("wallets/solana", None),
        ("agents/alice/chains/dogecoin/private_key", None),
        ("agents/alice/keys/a", None),
    ],
)
def test_a_default_chain_path_holds_only_keys_of_that_chain(
    path: str, chain: KeyChain | None
) -> None:
    assert chain_at(path) is chain

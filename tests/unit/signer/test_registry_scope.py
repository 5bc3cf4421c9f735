"""A scoped admin registers what is in its scope and nothing else; attacks by name."""

import copy
from typing import Any

import pytest

from schemas.registry.access import Grant
from schemas.registry.custody import AGENT_KEYS, TREASURY_KEYS
from schemas.registry.policy import Policy
from schemas.registry.records import (
    AccessSet,
    AccountOpened,
    AddressClaimed,
    ChainRemoved,
    CustomerKeySet,
    Entry,
    PolicySet,
    SettingSet,
    VaultCreated,
)
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from tests.harness.builders.cases import (
    ACCOUNT,
    ADMIN,
    ALICE,
    MALLORY,
    SIGNER,
    agent,
    chain,
    founding,
    policy,
    service,
)
from tests.harness.builders.scoped_admins import (
    CEILING,
    DESK,
    GATEWAY,
    NEIGHBOUR,
    OTHER_GATEWAY,
    TIGHT,
    apply_by_desk,
    by_desk,
    gateway_agent,
    organisation,
    refuses,
    scope,
)

ADDRESS = "0x" + "ab" * 20
DOMAINS = ({"verifying_contract": ADDRESS},)
GRANT = Grant(effect="allow", vault="main", paths="db/**", rights=("read",))


def tight(**changes: Any) -> Policy:
    return TIGHT.model_copy(update=changes)


def grant(paths: str, vault: str = "*", *rights: str, effect: str = "allow") -> Grant:
    return Grant(effect=effect, vault=vault, paths=paths, rights=rights or ("sign",))  # type: ignore[arg-type]  # from a table


WITHIN: dict[str, Entry] = {
    "a new agent of its gateway": gateway_agent(agent="erin"),
    "a change of an agent": gateway_agent(intents_api_enabled=False, expires_at_ms=5),
    "revoking an agent": gateway_agent(active=False),
    "keys of an agent": gateway_agent(
        key_paths=("agents/bob/keys/a", "keys/base-signer", "wallets/hot")
    ),
    "grants of an agent": AccessSet(agent="bob", grants=(GRANT,)),
    "grants on its keys": AccessSet(
        agent="bob", grants=(grant("agents/bob/**"), grant("wallets/b*"), grant("db/*", "*"))
    ),
    "a deny of everything": AccessSet(agent="bob", grants=(grant("**", effect="deny"),)),
    "a new policy": PolicySet(policy_id="new", policy=CEILING),
    "a changed policy of its agents": PolicySet(
        policy_id="tight", policy=tight(tx_max_value_eth="2")
    ),
    "a vault": VaultCreated(account=ACCOUNT, vault="more", mode="envelope"),
    "a customer key": CustomerKeySet(account=ACCOUNT, vault="main", fingerprint="0x" + "1" * 64),
    "a claim": AddressClaimed(account=ACCOUNT, address=ADDRESS),
    "simulation for all intents": SettingSet(name="simulation.required", value="always"),
}


@pytest.mark.parametrize("name", WITHIN)
def test_an_entry_in_scope_is_registered(name: str) -> None:
    operator, registry = organisation()
    apply_by_desk(operator, registry, WITHIN[name])
    registry.apply(operator.write(AccountOpened(account="next")))


AGENT_OUTSIDE = "does not act for its accounts"
ATTACKS: dict[str, tuple[str, Entry]] = {
    "adding a scoped admin": ("full admin", scope(name="friend", public_key=MALLORY.public_key)),
    "widening its own scope": ("full admin", scope(accounts=(ACCOUNT, NEIGHBOUR))),
    "raising its own ceiling": ("full admin", scope(ceiling=policy())),
    "founding once more": ("full admin", founding(admin_keys=(DESK.public_key,))),
    "opening an account": ("full admin", AccountOpened(account="mine")),
    "adding a signer": ("full admin", service(MALLORY, "signer")),
    "adding a simulator": ("full admin", service(MALLORY, "simulator")),
    "adding a gateway": ("full admin", service(MALLORY, "gateway")),
    "replacing its gateway's key": (
        "full admin",
        service(GATEWAY, "gateway", public_key=MALLORY.public_key),
    ),
    "an agent with a key of its own": (
        AGENT_OUTSIDE,
        agent(agent="erin", public_key=MALLORY.public_key, policy_id="tight"),
    ),
    "an agent with a key and the gateway": (
        AGENT_OUTSIDE,
        gateway_agent(agent="erin", public_key=MALLORY.public_key),
    ),
    "an agent of another gateway": (
        AGENT_OUTSIDE,
        gateway_agent(agent="erin", gateway=OTHER_GATEWAY.keyid),
    ),
    "an agent of another account": (AGENT_OUTSIDE, gateway_agent(agent="erin", account=NEIGHBOUR)),
    "moving alice to its gateway": (AGENT_OUTSIDE, gateway_agent(agent="alice")),
    "moving another gateway's agent to its own": (AGENT_OUTSIDE, gateway_agent(agent="carol")),
    "giving its agent away": (AGENT_OUTSIDE, gateway_agent(gateway=OTHER_GATEWAY.keyid)),
    "giving its agent a key": (
        AGENT_OUTSIDE,
        gateway_agent(gateway=None, public_key=MALLORY.public_key),
    ),
    "revoking alice": (AGENT_OUTSIDE, agent(active=False)),
    "changing its gateway's agent of another account": (
        AGENT_OUTSIDE,
        gateway_agent(agent="dave", account=NEIGHBOUR, policy_id="dave", active=False),
    ),
    "an agent named like an admin": ("belongs to an admin", gateway_agent(agent="admin-0")),
    "an agent named like a service": ("belongs to an admin", gateway_agent(agent="signer-1")),
    "an agent named like itself": ("belongs to an admin", gateway_agent(agent="desk")),
    "the loose policy of alice": ("looser than its ceiling", gateway_agent(policy_id="standard")),
    "a policy that does not exist": ("not registered", gateway_agent(policy_id="later")),
    "a key of alice": ("is not below", gateway_agent(key_paths=("agents/alice/keys/hot",))),
    "a key of an agent with a longer name": (
        "is not below",
        gateway_agent(key_paths=("agents/bobby/keys/hot",)),
    ),
    "grants for alice": (AGENT_OUTSIDE, AccessSet(agent="alice", grants=(GRANT,))),
    "grants for no agent": (AGENT_OUTSIDE, AccessSet(agent="nobody", grants=())),
    "signing with every key": ("is not below", AccessSet(agent="bob", grants=(grant("**"),))),
    "signing with every agent's key": (
        "is not below",
        AccessSet(agent="bob", grants=(grant("agents/*/keys/*", AGENT_KEYS),)),
    ),
    "signing with keys of any first part": (
        "is not below",
        AccessSet(agent="bob", grants=(grant("*s/alice/**"),)),
    ),
    "reading every key, which lets it sign": (
        "is not below",
        AccessSet(agent="bob", grants=(grant("**", "*", "read"),)),
    ),
    "alice's policy": ("alice", PolicySet(policy_id="standard", policy=TIGHT)),
    "the missing policy of an outside agent": ("dave", PolicySet(policy_id="dave", policy=TIGHT)),
    "a vault of another account": (
        NEIGHBOUR,
        VaultCreated(account=NEIGHBOUR, vault="more", mode="envelope"),
    ),
    "the custody mode of the treasury": (
        "only a full admin",
        VaultCreated(account=ACCOUNT, vault=TREASURY_KEYS, mode="envelope"),
    ),
    "a customer key of another account": (
        NEIGHBOUR,
        CustomerKeySet(account=NEIGHBOUR, vault="main", fingerprint="0x" + "1" * 64),
    ),
    "a claim of another account": (NEIGHBOUR, AddressClaimed(account=NEIGHBOUR, address=ADDRESS)),
    "a chain": ("chains", chain(chain_id=1, name="ethereum", aliases=())),
    "removing a chain": ("chains", ChainRemoved(chain_id=8453)),
    "simulation on request only": (
        "simulation.required",
        SettingSet(name="simulation.required", value="requested"),
    ),
    "old simulations": ("age_ms_max", SettingSet(name="simulation.age_ms_max", value=60_000)),
    "open policies": (
        "require_explicit",
        SettingSet(name="policies.require_explicit", value=False),
    ),
    "another tier": ("org.tier", SettingSet(name="org.tier", value="pro")),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_entry_outside_the_scope_is_refused_and_changes_nothing(name: str) -> None:
    operator, registry = organisation()
    because, entry = ATTACKS[name]
    refuses(operator, registry, entry, because)


LOOSER: dict[str, Any] = {
    "tx_to_allowlist": "any",
    "tx_max_value_eth": "2.1",
    "tx_max_fee_eth": "0.03",
    "tx_daily_limit_eth": None,
    "tx_allowed_chains": ("polygon",),
    "intents_per_minute": 11,
    "allow_contract_creation": True,
    "message_signing_enabled": True,
    "allow_raw_hashes": True,
    "eip712_default_policy": "allow",
    "eip712_domain_allowlist": DOMAINS,
    "delegate_allowlist": (ADDRESS,),
    "allow_any_chain_delegation": True,
}


@pytest.mark.parametrize("field", Policy.model_fields)
def test_a_policy_beyond_the_ceiling_in_one_field_is_refused(field: str) -> None:
    operator, registry = organisation()
    looser = Policy.model_validate(TIGHT.model_dump() | {field: LOOSER[field]})
    for name in ("tight", "new"):
        refuses(operator, registry, PolicySet(policy_id=name, policy=looser), field)


def test_an_agent_beyond_the_ceiling_is_deactivated_and_not_activated_again() -> None:
    operator, registry = organisation(gateway_agent(policy_id="standard"))
    refuses(operator, registry, gateway_agent(policy_id="standard"), "looser than its ceiling")
    apply_by_desk(operator, registry, gateway_agent(policy_id="standard", active=False))
    refuses(operator, registry, gateway_agent(policy_id="standard"), "looser than its ceiling")
    apply_by_desk(operator, registry, PolicySet(policy_id="new", policy=TIGHT))
    apply_by_desk(operator, registry, gateway_agent(policy_id="new"))


@pytest.mark.parametrize(
    "alices",
    [
        agent(key_paths=("wallets/hot",)),
        agent(key_paths=("wallets/hot",), active=False),
        AccessSet(agent="alice", grants=(grant("wallets/*"),)),
        AccessSet(agent="alice", grants=(grant("**", AGENT_KEYS, "read"),)),
        AccessSet(agent="alice", grants=(grant("wallets/**"), grant("wallets/hot", effect="deny"))),
    ],
)
def test_a_key_that_alice_may_use_is_not_given_to_an_agent_of_the_gateway(alices: Entry) -> None:
    operator, registry = organisation(alices)
    attacks: tuple[Entry, ...] = (
        gateway_agent(key_paths=("wallets/hot",)),
        AccessSet(agent="bob", grants=(grant("wallets/h*"),)),
        AccessSet(agent="bob", grants=(grant("wallets/**", "*", "read"),)),
    )
    for entry in attacks:
        refuses(operator, registry, entry, "alice")


def test_what_a_full_admin_granted_is_kept_and_a_deny_with_it() -> None:
    shared = agent(key_paths=("wallets/hot",))
    everything = (grant("**"), grant("agents/alice/**", effect="deny"))
    operator, registry = organisation(
        shared,
        gateway_agent(key_paths=("wallets/hot",)),
        AccessSet(agent="bob", grants=everything),
    )
    apply_by_desk(operator, registry, gateway_agent(key_paths=("wallets/hot",), active=False))
    apply_by_desk(operator, registry, AccessSet(agent="bob", grants=(*everything, GRANT)))
    undenied = AccessSet(agent="bob", grants=everything[:1])
    refuses(operator, registry, undenied, "is not below")
    apply_by_desk(operator, registry, AccessSet(agent="bob", grants=()))
    refuses(operator, registry, AccessSet(agent="bob", grants=everything), "is not below")


def test_reading_everything_is_granted_only_to_an_agent_that_submits_no_intents() -> None:
    """The right to read a key lets an agent that submits intents sign with it."""
    operator, registry = organisation()
    person = gateway_agent(agent="pat", intents_api_enabled=False)
    reads = AccessSet(agent="pat", grants=(grant("**", "*", "read", "write"),))
    apply_by_desk(operator, registry, person)
    apply_by_desk(operator, registry, reads)
    refuses(operator, registry, gateway_agent(agent="pat"), "is not below")
    apply_by_desk(operator, registry, AccessSet(agent="pat", grants=(GRANT,)))
    apply_by_desk(operator, registry, gateway_agent(agent="pat"))
    refuses(operator, registry, reads, "is not below")


def test_settings_and_chains_need_their_permission() -> None:
    operator, registry = organisation(chains=True, settings=("simulation.age_ms_max",))
    apply_by_desk(operator, registry, SettingSet(name="simulation.age_ms_max", value=9_000))
    refuses(operator, registry, SettingSet(name="org.tier", value="pro"), "org.tier")
    apply_by_desk(operator, registry, chain(chain_id=10, name="optimism", aliases=()))
    apply_by_desk(operator, registry, ChainRemoved(chain_id=10))


def test_domains_of_typed_data_need_their_permission() -> None:
    listed = Policy.model_validate(TIGHT.model_dump() | {"eip712_domain_allowlist": DOMAINS})
    operator, registry = organisation(domains=True)
    apply_by_desk(operator, registry, PolicySet(policy_id="tight", policy=listed))
    looser = listed.model_copy(update={"tx_max_value_eth": "3"})
    refuses(operator, registry, PolicySet(policy_id="tight", policy=looser), "tx_max_value_eth")
    without, unchanged = organisation()
    entry = PolicySet(policy_id="tight", policy=listed)
    refuses(without, unchanged, entry, "eip712_domain_allowlist")


def test_delegates_need_their_permission() -> None:
    listed = Policy.model_validate(TIGHT.model_dump() | {"delegate_allowlist": (ADDRESS,)})
    operator, registry = organisation(delegates=True)
    apply_by_desk(operator, registry, PolicySet(policy_id="tight", policy=listed))
    everywhere = listed.model_copy(update={"allow_any_chain_delegation": True})
    entry = PolicySet(policy_id="tight", policy=everywhere)
    refuses(operator, registry, entry, "allow_any_chain_delegation")
    without, unchanged = organisation()
    entry = PolicySet(policy_id="tight", policy=listed)
    refuses(without, unchanged, entry, "delegate_allowlist")


def test_a_record_of_a_scoped_admin_without_delegates_keeps_its_bytes() -> None:
    assert b"delegates" not in scope().encode()
    assert b'"delegates":true' in scope(delegates=True).encode()


@pytest.mark.parametrize("name", ["base", "ethereum"])
def test_a_name_that_a_policy_lists_does_not_move_to_another_chain(name: str) -> None:
    """Otherwise every policy that allows the name would allow another chain."""
    operator, registry = organisation(chains=True)
    apply_by_desk(operator, registry, ChainRemoved(chain_id=8453))
    for names in ({"name": name, "aliases": ()}, {"name": "x", "aliases": (name,)}):
        refuses(operator, registry, chain(chain_id=666, **names), f"lists the name {name}")


def test_a_listed_chain_may_change_and_keep_its_name() -> None:
    operator, registry = organisation(chains=True)
    apply_by_desk(operator, registry, chain(rpc_url="https://node.example"))


def test_a_revoked_scoped_admin_registers_nothing() -> None:
    operator, registry = organisation()
    apply_by_desk(operator, registry, gateway_agent(agent="erin"))
    registry.apply(operator.write(scope(active=False)))
    refuses(operator, registry, gateway_agent(agent="erin", active=False), "no admin key")
    assert registry.agents["erin"].active  # what it signed before stays valid
    again = Registry(registry.trust_root)
    for raw in operator.written:
        again.apply(raw)
    assert again == registry


def test_a_replaced_key_of_a_scoped_admin_registers_nothing() -> None:
    operator, registry = organisation(scope(public_key=MALLORY.public_key))
    refuses(operator, registry, gateway_agent(agent="erin"), "no admin key")
    registry.apply(by_desk(operator, gateway_agent(agent="erin"), MALLORY))


def test_a_full_admin_may_do_everything_and_switch_an_agent_between_its_kinds() -> None:
    operator, registry = organisation()
    registry.apply(operator.write(gateway_agent(agent="alice", policy_id="standard")))
    registry.apply(operator.write(agent()))
    assert registry.agents["alice"].public_key == ALICE.public_key


@pytest.mark.parametrize(
    ("entry", "because"),
    [
        (agent(agent="erin", public_key=None), "either a public key of its own or a gateway"),
        (gateway_agent(public_key=MALLORY.public_key), "either a public key"),
        (gateway_agent(gateway="nowhere"), "gateway nowhere is not registered"),
        (gateway_agent(gateway=SIGNER.keyid), "not registered"),
        (agent(agent="erin", public_key=GATEWAY.public_key), "belongs to a gateway"),
        (agent(agent="erin", public_key=DESK.public_key), "belongs to a gateway"),
        (agent(agent="desk", public_key=MALLORY.public_key), "scoped admin"),
        (service(MALLORY, "gateway", public_key=ALICE.public_key), "belongs to someone else"),
        (service(MALLORY, "gateway", public_key=ADMIN.public_key), "belongs to someone else"),
        (service(MALLORY, "gateway", public_key=DESK.public_key), "belongs to someone else"),
        (service(MALLORY, "gateway", public_key=GATEWAY.public_key), "belongs to someone else"),
        (service(MALLORY, "gateway", public_key=SIGNER.public_key), "belongs to someone else"),
        (service(MALLORY, "simulator", public_key=GATEWAY.public_key), "belongs to someone else"),
        (scope(accounts=("closed",)), "never opened"),
        (scope(gateway="nowhere"), "gateway nowhere is not registered"),
        (scope(name="admin-7", public_key=MALLORY.public_key), "belongs to an agent"),
        (scope(name="alice", public_key=MALLORY.public_key), "belongs to an agent"),
        (scope(name="signer-1", public_key=MALLORY.public_key), "belongs to an agent"),
        (scope(name="friend"), "key of scoped admin friend"),
        (scope(public_key=ADMIN.public_key), "key of scoped admin desk"),
        (scope(public_key=ALICE.public_key), "key of scoped admin desk"),
        (scope(public_key=GATEWAY.public_key), "key of scoped admin desk"),
    ],
)
def test_an_impossible_signer_is_refused_even_from_a_full_admin(entry: Entry, because: str) -> None:
    operator, registry = organisation()
    before = copy.deepcopy(registry)
    with pytest.raises(RegistryRecordError, match=because):
        registry.apply(operator.sealed(operator.record(entry)))
    assert registry == before


def test_a_record_of_an_agent_with_a_key_keeps_its_bytes() -> None:
    assert agent().encode() == (
        b'{"account":"treasury","active":true,"agent":"alice","intents_api_enabled":true,'
        b'"key_paths":[],"policy_id":"standard","public_key":"' + ALICE.public_key.encode() + b'",'
        b'"type":"agent.set"}'
    )

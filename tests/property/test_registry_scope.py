"""Whatever a scoped admin signs, in any order: nothing outside its scope changes or is shared."""

from typing import Any

from hypothesis import event, example, given
from hypothesis import strategies as st

from schemas.registry.access import Grant
from schemas.registry.custody import KEY_VAULTS
from schemas.registry.policy import Policy
from schemas.registry.records import (
    AccessSet,
    AccountOpened,
    AgentSet,
    Entry,
    PolicySet,
    RecordVersion,
    ServiceSet,
    SettingSet,
)
from signer.core.access import may_sign
from signer.core.errors import RegistryRecordError
from signer.core.registry.ceiling import loosened_fields
from signer.core.registry.registry import Registry
from signer.core.registry.scope import in_scope
from tests.harness.builders.cases import ACCOUNT, MALLORY, agent, policy, service
from tests.harness.builders.scoped_admins import (
    CEILING,
    GATEWAY,
    NEIGHBOUR,
    OTHER_GATEWAY,
    TIGHT,
    apply_by_desk,
    gateway_agent,
    organisation,
    scope,
)
from tests.harness.sizes import effort

AGENTS = ("alice", "bob", "carol", "erin")
"""Alice has a key of her own, carol another gateway; erin is not registered at first."""
KEYS = (
    *(f"agents/{name}/keys/k" for name in AGENTS),
    "keys/a", "keys/ab", "keys/b", "wallets/a", "wallets/b/c",
)  # fmt: skip
GLOBS = (
    "**", "*", "agents/**", "agents/*/keys/k", "agents/bob/**", "agents/b*/**", "*/a*", "**/k",
    "keys/*", "keys/b", "keys/a*", "wallets/**", "wallets/b/*", "db/**",
)  # fmt: skip
BOBS = (
    Grant(effect="allow", vault="*", paths="**", rights=("sign",)),
    *(
        Grant(effect="deny", vault="*", paths=paths, rights=("sign",))
        for paths in ("agents/**", "keys/a*", "wallets/a")
    ),
)
"""What a full admin granted: everything but what others may use."""
WIDE = CEILING.model_copy(update={"tx_max_fee_eth": "1", "allow_raw_hashes": True})
"""What a full admin allows finn, beyond the ceiling."""
WIDER = WIDE.model_copy(update={"tx_max_fee_eth": "2", "message_signing_enabled": True})
GRANTED = (
    PolicySet(policy_id="wide", policy=WIDE),
    gateway_agent(agent="finn", policy_id="wide"),
    AccessSet(agent="bob", grants=BOBS),
    gateway_agent(agent="pat", intents_api_enabled=False),
    agent(key_paths=("wallets/a",)),
    AccessSet(
        agent="alice",
        grants=(Grant(effect="allow", vault="*", paths="keys/a*", rights=("sign",)),),
    ),
)
PATS = AccessSet(
    agent="pat", grants=(Grant(effect="allow", vault="*", paths="**", rights=("read",)),)
)
"""Pat may read everything, and must therefore not submit intents."""
booleans, names = st.booleans(), st.sampled_from(AGENTS)
versions: st.SearchStrategy[RecordVersion] = st.sampled_from([1, 2])
policy_ids = st.sampled_from(["tight", "standard", "new", "wide", "wide"])
grants = st.builds(
    Grant,
    effect=st.sampled_from(["allow", "allow", "deny"]),
    vault=st.sampled_from(["*", "main", *KEY_VAULTS]),
    paths=st.sampled_from(GLOBS),
    rights=st.sampled_from([("read",), ("write",), ("sign",), ("read", "write", "sign")]),
)
several: Any = st.one_of(st.just(()), st.tuples(grants), st.tuples(grants, grants))
own: Any = {
    "agent": names,
    "account": st.sampled_from([ACCOUNT, ACCOUNT, NEIGHBOUR]),
    "policy_id": policy_ids,
    "active": booleans,
    "intents_api_enabled": booleans,
    "key_paths": st.one_of(st.just(()), st.tuples(st.sampled_from(KEYS))),
}
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(gateway_agent, **own),
    st.builds(
        gateway_agent,
        agent=st.sampled_from(["bob", "erin", "pat"]),
        intents_api_enabled=booleans,
        key_paths=own["key_paths"],
    ),
    st.builds(gateway_agent, **own, gateway=st.just(OTHER_GATEWAY.keyid)),
    st.builds(agent, **own, public_key=st.just(MALLORY.public_key)),
    st.builds(AccessSet, agent=names, grants=several),
    st.builds(AccessSet, agent=st.sampled_from(["bob", "pat"]), grants=several),
    st.builds(lambda some: AccessSet(agent="bob", grants=some), st.permutations(BOBS).map(tuple)),
    st.sampled_from([AccessSet(agent="bob", grants=BOBS[:n]) for n in (1, 2, 3)]),
    st.just(PATS),
    st.builds(
        PolicySet,
        policy_id=policy_ids,
        policy=st.sampled_from([TIGHT, CEILING, WIDE, WIDER, policy(), Policy()]),
    ),
    st.builds(
        gateway_agent, agent=st.sampled_from(["bob", "finn"]), policy_id=policy_ids, active=booleans
    ),
    st.sampled_from(
        [
            AccountOpened(account="mine"),
            service(MALLORY, "gateway"),
            service(GATEWAY, "gateway", public_key=MALLORY.public_key),
            scope(ceiling=policy()),
            scope(accounts=(ACCOUNT, NEIGHBOUR)),
            SettingSet(name="simulation.required", value="always"),
            SettingSet(name="policies.require_explicit", value=False),
        ]
    ),
)


def outside_of(registry: Registry) -> dict[str, Any]:
    """Return everything that the desk must not change."""
    outside = {n: one for n, one in registry.agents.items() if not in_scope(scope(), one)}
    return {
        "admins": (registry.admin_keys, dict(registry.scoped_admins)),
        "accounts": set(registry.accounts),
        "services": dict(registry.services),
        "explicit": registry.settings.require_explicit,
        "agents": outside,
        "access": {name: registry.access.get(name) for name in outside},
        "policies": {
            one.policy_id: registry.policies.get(one.policy_id) for one in outside.values()
        },
    }


def signs(registry: Registry, one: AgentSet, vault: str, path: str) -> bool:
    return may_sign(one, registry.access.get(one.agent, ()), vault, path)


def check_inside(registry: Registry) -> None:
    """Check that agents in scope are within the ceiling and share no key with others."""
    agents = registry.agents.values()
    outside = [one for one in agents if not in_scope(scope(), one) and one.account == ACCOUNT]
    for inside in (one for one in agents if in_scope(scope(), one)):
        used = registry.policies.get(inside.policy_id)
        if inside.active:
            assert used is not None
            granted = WIDE if inside.agent == "finn" else CEILING
            assert not loosened_fields(used.policy, CEILING, granted)
        for vault in KEY_VAULTS:
            for path in KEYS:
                if signs(registry, inside, vault, path):
                    assert not any(signs(registry, one, vault, path) for one in outside)
                    assert path.startswith((f"agents/{inside.agent}/", "keys/", "wallets/"))


@given(st.lists(st.tuples(entries, versions), min_size=1, max_size=12))
@example([(PATS, 1), (gateway_agent(agent="pat"), 1)])
@example(
    [
        (gateway_agent(policy_id="wide", active=False), 1),
        (gateway_agent(policy_id="wide"), 2),
    ]
)
@effort(2)
def test_a_scoped_admin_changes_and_shares_nothing_outside_its_scope(
    signed: list[tuple[Entry, RecordVersion]],
) -> None:
    operator, registry = organisation(*GRANTED)
    before = outside_of(registry)
    for entry, version in signed:
        try:
            apply_by_desk(operator, registry, entry, v=version)
        except RegistryRecordError:
            event(f"refused {entry.type}")
            continue
        event(f"registered {entry.type}")
        assert not isinstance(entry, ServiceSet)
        assert outside_of(registry) == before
        check_inside(registry)

"""A scoped admin keeps or tightens what a full admin allowed beyond its ceiling; attacks by name.

Records of version 2 compare a change with what it changes. Those of version 1 do not.
"""

from typing import Any

import pytest

from schemas.registry.policy import Policy
from schemas.registry.records import Entry, PolicySet, RecordVersion
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from tests.harness.builders.cases import NOW_MS, Operator
from tests.harness.builders.scoped_admins import (
    CEILING,
    TIGHT,
    apply_by_desk,
    gateway_agent,
    organisation,
)

DELEGATE, OTHER = "0x" + "ab" * 20, "0x" + "cd" * 20
DOMAIN = {"verifying_contract": DELEGATE}
# What each option of `agents update` sets, beyond the ceiling: before, tighter, looser.
BEYOND: dict[str, tuple[Any, Any, Any]] = {
    "delegate_allowlist": ((DELEGATE,), (), (DELEGATE, OTHER)),
    "allow_contract_creation": (True, False, None),
    "tx_max_fee_eth": ("0.5", "0.4", "0.6"),
    "tx_max_value_eth": ("3", "2.5", "4"),
    "allow_raw_hashes": (True, False, None),
    "eip712_domain_allowlist": ((DOMAIN,), (), (DOMAIN, {"verifying_contract": OTHER})),
}


def tight(**changes: Any) -> Policy:
    return Policy.model_validate(TIGHT.model_dump() | changes)


def apply(operator: Operator, registry: Registry, entry: Entry, v: RecordVersion = 2) -> None:
    apply_by_desk(operator, registry, entry, v)


def refuses(operator: Operator, registry: Registry, entry: Entry, v: RecordVersion = 2) -> None:
    with pytest.raises(RegistryRecordError, match="looser than its ceiling"):
        apply(operator, registry, entry, v)


def loosened(**changes: Any) -> tuple[Operator, Registry]:
    """Return an organisation whose full admin loosened bob's policy."""
    return organisation(PolicySet(policy_id="tight", policy=tight(**changes)))


@pytest.mark.parametrize("field", BEYOND)
def test_a_change_of_another_limit_keeps_what_a_full_admin_loosened(field: str) -> None:
    before, tighter, _ = BEYOND[field]
    operator, registry = loosened(**{field: before})
    other = "tx_daily_limit_eth"
    kept = PolicySet(policy_id="tight", policy=tight(**{field: before, other: "1"}))
    refuses(operator, registry, kept, v=1)
    apply(operator, registry, kept)
    assert registry.policies["tight"].policy == kept.policy
    apply(operator, registry, PolicySet(policy_id="tight", policy=tight(**{field: tighter})))


@pytest.mark.parametrize("field", [name for name, row in BEYOND.items() if row[2] is not None])
def test_what_a_full_admin_loosened_is_not_loosened_further(field: str) -> None:
    before, _, looser = BEYOND[field]
    operator, registry = loosened(**{field: before})
    refuses(operator, registry, PolicySet(policy_id="tight", policy=tight(**{field: looser})))


@pytest.mark.parametrize("field", BEYOND)
def test_a_tightened_limit_is_not_loosened_again_beyond_the_ceiling(field: str) -> None:
    before, tighter, _ = BEYOND[field]
    operator, registry = loosened(**{field: before})
    apply(operator, registry, PolicySet(policy_id="tight", policy=tight(**{field: tighter})))
    refuses(operator, registry, PolicySet(policy_id="tight", policy=tight(**{field: before})))


@pytest.mark.parametrize("field", BEYOND)
def test_a_deactivated_agent_is_activated_again_with_the_policy_that_it_had(field: str) -> None:
    operator, registry = loosened(**{field: BEYOND[field][0]})
    apply(operator, registry, gateway_agent(active=False))
    refuses(operator, registry, gateway_agent(), v=1)
    apply(operator, registry, gateway_agent())
    assert registry.agents["bob"].active
    apply(operator, registry, gateway_agent(expires_at_ms=5))


@pytest.mark.parametrize("version", [1, 2])
def test_an_inactive_agent_does_not_get_active_with_a_policy_that_it_was_given_meanwhile(
    version: RecordVersion,
) -> None:
    """An inactive agent may get any policy in scope, so keeping that one proves nothing."""
    operator, registry = loosened(delegate_allowlist=(DELEGATE,))
    apply(operator, registry, gateway_agent(agent="erin", active=False), version)
    refuses(operator, registry, gateway_agent(agent="erin"))


def test_a_loosened_policy_is_given_to_no_other_agent() -> None:
    operator, registry = loosened(delegate_allowlist=(DELEGATE,))
    refuses(operator, registry, gateway_agent(agent="erin"))
    apply(operator, registry, PolicySet(policy_id="new", policy=CEILING))
    apply(operator, registry, gateway_agent(policy_id="new"))
    refuses(operator, registry, gateway_agent())


def test_a_new_policy_is_compared_with_the_ceiling() -> None:
    operator, registry = loosened(delegate_allowlist=(DELEGATE,))
    entry = PolicySet(policy_id="new", policy=tight(delegate_allowlist=(DELEGATE,)))
    refuses(operator, registry, entry)


PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # What the ceiling allows, what a full admin allowed before, what the desk asks for.
    "messages for listed hashes": (
        {"message_signing_enabled": True},
        {"allow_raw_hashes": True},
        {"message_signing_enabled": True, "allow_raw_hashes": True},
    ),
    "hashes for messages": (
        {"allow_raw_hashes": True},
        {"message_signing_enabled": True},
        {"message_signing_enabled": True, "allow_raw_hashes": True},
    ),
    "unlisted domains, of which the ceiling restricts one": (
        {
            "eip712_default_policy": "allow",
            "eip712_domain_allowlist": ({**DOMAIN, "primary_types": ("Note",)},),
        },
        {},
        {"eip712_default_policy": "allow"},
    ),
    "every chain for other delegates": (
        {"allow_any_chain_delegation": True, "delegate_allowlist": (OTHER,)},
        {"delegate_allowlist": (DELEGATE,)},
        {"allow_any_chain_delegation": True, "delegate_allowlist": (DELEGATE,)},
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_of_fields_does_not_allow_what_neither_ceiling_nor_policy_allow(name: str) -> None:
    ceiling, before, asked = PAIRS[name]
    most = Policy.model_validate(CEILING.model_dump() | ceiling)
    operator, registry = organisation(
        PolicySet(policy_id="tight", policy=tight(**before)), ceiling=most
    )
    refuses(operator, registry, PolicySet(policy_id="tight", policy=tight(**asked)))
    again = PolicySet(policy_id="tight", policy=tight(**before, tx_daily_limit_eth="1"))
    apply(operator, registry, again)


def test_an_agent_does_not_come_back_to_a_policy_that_was_loosened_for_others() -> None:
    operator, registry = organisation(gateway_agent(agent="erin"))
    apply(operator, registry, PolicySet(policy_id="desk", policy=TIGHT))
    apply(operator, registry, gateway_agent(agent="erin", policy_id="desk", active=False))
    beyond = PolicySet(policy_id="tight", policy=tight(tx_max_value_eth="1000"))
    registry.apply(operator.write(beyond))
    apply(operator, registry, gateway_agent(agent="erin", policy_id="tight", active=False))
    refuses(operator, registry, gateway_agent(agent="erin", policy_id="tight"))


@pytest.mark.parametrize(
    "more",
    [
        {"key_paths": ("keys/hot", "keys/other")},
        {"expires_at_ms": None},
        {"expires_at_ms": NOW_MS + 2},
        {"intents_api_enabled": True},
    ],
)
def test_an_agent_beyond_the_ceiling_gets_no_more_keys_life_or_intents(
    more: dict[str, Any],
) -> None:
    less = {"key_paths": ("keys/hot",), "expires_at_ms": NOW_MS + 1, "intents_api_enabled": False}
    operator, registry = loosened(tx_max_value_eth="1000")
    registry.apply(operator.write(gateway_agent(**less)))
    apply(operator, registry, gateway_agent(**less))
    refuses(operator, registry, gateway_agent(**(less | more)))

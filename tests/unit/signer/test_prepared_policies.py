"""A scoped admin does not loosen policies that a full admin prepared for outside agents."""

import pytest

from schemas.registry.records import PolicySet
from tests.harness.builders.scoped_admins import (
    CEILING,
    TIGHT,
    apply_by_desk,
    gateway_agent,
    organisation,
    refuses,
)


def test_a_policy_that_a_full_admin_prepared_is_only_tightened() -> None:
    operator, registry = organisation(PolicySet(policy_id="later", policy=TIGHT))
    refuses(operator, registry, PolicySet(policy_id="later", policy=CEILING), "no agent has it")
    tighter = PolicySet(
        policy_id="later", policy=TIGHT.model_copy(update={"tx_max_value_eth": "0.1"})
    )
    apply_by_desk(operator, registry, tighter)


@pytest.mark.parametrize("active", [True, False])
def test_a_policy_that_a_full_admin_prepared_is_not_loosened_in_two_steps(*, active: bool) -> None:
    """With an agent of its own on it, the desk could loosen it before an outside agent gets it."""
    operator, registry = organisation(PolicySet(policy_id="later", policy=TIGHT))
    for entry in (
        gateway_agent(policy_id="later", active=active),
        gateway_agent(agent="erin", policy_id="later", active=active),
    ):
        refuses(operator, registry, entry, "a full admin set policy later")


def test_the_policy_of_outside_agents_is_not_given_to_an_agent_of_the_gateway() -> None:
    """When they leave it for a while, the desk could loosen it."""
    within = PolicySet(policy_id="standard", policy=TIGHT)
    operator, registry = organisation(within)
    refuses(operator, registry, gateway_agent(policy_id="standard"), "full admin set policy")
    registry.apply(operator.write(gateway_agent(policy_id="standard")))
    apply_by_desk(operator, registry, gateway_agent(agent="erin", policy_id="standard"))


def test_a_policy_of_its_own_is_given_to_agents_until_a_full_admin_sets_it() -> None:
    operator, registry = organisation()
    apply_by_desk(operator, registry, PolicySet(policy_id="new", policy=TIGHT))
    apply_by_desk(operator, registry, gateway_agent(agent="erin", policy_id="new"))
    registry.apply(operator.write(PolicySet(policy_id="new", policy=TIGHT)))
    apply_by_desk(operator, registry, gateway_agent(agent="fred", policy_id="new"))
    apply_by_desk(operator, registry, PolicySet(policy_id="other", policy=TIGHT))
    registry.apply(operator.write(PolicySet(policy_id="other", policy=TIGHT)))
    refuses(operator, registry, gateway_agent(policy_id="other"), "full admin set policy other")

"""A case: an intent with the facts to decide it, and the application of one rule to it."""

from dataclasses import dataclass
from typing import NamedTuple

from schemas.intents.intent import AnyIntent
from schemas.intents.reasons import Reason
from schemas.registry.records import AgentSet
from signer.core.account import Account
from signer.core.key_ref import FindKey
from signer.core.registry.registered import RegisteredPolicy
from signer.core.registry.registry import Registry
from signer.core.rules.decision import Decision, Facts, Rejected, Rule


@dataclass(frozen=True, slots=True)
class Case:
    """An authenticated intent with its digest, policy and facts."""

    intent: AnyIntent
    digest: str
    policy: RegisteredPolicy | None
    facts: Facts


class Authentic(NamedTuple):
    """An authenticated intent, its agent, and its digest."""

    intent: AnyIntent
    agent: AgentSet
    digest: str


def registered_case(
    authentic: Authentic, registry: Registry, find_key: FindKey, at_ms: int
) -> Case:
    """Return an intent with registered facts only, at a time in ms.

    Remembered facts are absent and the key counts as unavailable, so rules that need them reject.
    """
    intent, agent, digest = authentic
    facts = Facts(
        at_ms=at_ms,
        agent=agent,
        grants=registry.access.get(agent.agent, ()),
        settings=registry.settings,
        chain=registry.chains.get(intent.chain_id),
        simulation=None,
        simulation_problem=None,
        key=find_key(intent.account, intent.key_path),
        key_problem=Reason.KEY_UNAVAILABLE,
        owner=None,
        earlier=None,
        decided_before=False,
        boot=None,
    )
    return Case(intent, digest, registry.policies.get(agent.policy_id), facts)


def apply_rule(rule: Rule, case: Case, account: Account) -> Decision:
    """Apply a rule; a missing policy or a rule that raises is a rejection."""
    if case.policy is None:
        detail = f"no policy {case.facts.agent.policy_id} is registered"
        return Rejected(Reason.POLICY_MISSING, detail)
    try:
        return rule(case.intent, case.policy.policy, account, case.facts)
    except Exception as error:  # noqa: BLE001 - fail closed: a rule that raises rejects
        return internal_error(error)


def internal_error(error: Exception) -> Rejected:
    """Return the rejection for a defect. It names only the type: the text may contain a secret."""
    return Rejected(Reason.INTERNAL_ERROR, type(error).__name__)

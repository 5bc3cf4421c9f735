"""Cases: an intent with the facts to decide it, and the rules that gates and signer run on it.

Gates know a `GateCase`: what the registry and a simulator say. Only the signer's memory completes
it to a `Case`, the only type that can be authorised.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.dsse import SIMULATION_TYPE, Envelope
from schemas.intents.intent import AnyIntent, Intent
from schemas.intents.reasons import Gate, Reason
from schemas.intents.simulation import SimulationReport
from schemas.registry.records import AgentSet
from signer.core.account import Account
from signer.core.errors import InvalidSignatureError
from signer.core.key_ref import FindKey
from signer.core.registry.registered import RegisteredPolicy
from signer.core.registry.registry import Registry
from signer.core.rules import RULES
from signer.core.rules.decision import Decision, Facts, GateFacts, Rejected, Rule
from signer.core.signatures import open_envelope


@dataclass(frozen=True, slots=True)
class GateCase:
    """An authenticated intent with its digest, its policy and the facts that a gate knows."""

    intent: AnyIntent
    digest: str
    policy: RegisteredPolicy | None
    facts: GateFacts


@dataclass(frozen=True, slots=True)
class Case(GateCase):
    """An authenticated intent with its digest, its policy and all facts."""

    facts: Facts


class Authentic(NamedTuple):
    """An authenticated intent, its agent, and its digest."""

    intent: AnyIntent
    agent: AgentSet
    digest: str


def gate_case(
    authentic: Authentic,
    registry: Registry,
    find_key: FindKey,
    report: Envelope | None,
    at_ms: int,
) -> GateCase:
    """Return an intent with what the registry and the simulator's report say, at a time in ms."""
    intent, agent, digest = authentic
    simulation, problem = verified_report(report, registry, intent, digest)
    facts = GateFacts(
        at_ms=at_ms,
        agent=agent,
        grants=registry.access.get(agent.agent, ()),
        settings=registry.settings,
        chain=registry.chains.get(intent.chain_id),
        simulation=simulation,
        simulation_problem=problem,
        key=find_key(intent.account, intent.key_path),
    )
    return GateCase(intent, digest, registry.policies.get(agent.policy_id), facts)


def run_rules(
    case: GateCase, account: Account, gates: Iterable[Gate]
) -> Iterator[tuple[Gate, Decision]]:
    """Run the rules of some gates in order; end after the first rejection.

    A gate runs its own rule, as advice; the signer runs those of all gates, finally.
    """
    rules = RULES[case.intent.kind]
    for gate in gates:
        decision = apply_rule(rules[gate], case, account)
        yield gate, decision
        if isinstance(decision, Rejected):
            return


def apply_rule(rule: Rule, case: GateCase, account: Account) -> Decision:
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


def verified_report(
    envelope: Envelope | None, registry: Registry, intent: Intent, intent_name: str
) -> tuple[SimulationReport | None, Reason | None]:
    """Return the verified report and None, or None and the reason to distrust it.

    Without an envelope, return None twice.
    """
    if envelope is None:
        return None, None
    try:
        report = _read(envelope, registry)
    except (MalformedError, InvalidSignatureError):
        return None, Reason.SIMULATION_UNTRUSTED
    if (report.intent, report.chain_id) != (intent_name, intent.chain_id):
        return None, Reason.SIMULATION_UNTRUSTED
    return report, None


def _read(envelope: Envelope, registry: Registry) -> SimulationReport:
    simulator = envelope.signatures[0].keyid
    public_key = registry.service_key("simulator", simulator)
    if public_key is None:
        raise InvalidSignatureError("no such simulator is registered")
    return SimulationReport.decode(open_envelope(envelope, SIMULATION_TYPE, public_key))

"""Passage: an intent between gates, and the gate that applies one rule to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from schemas.canonical import event_id
from schemas.dsse import Envelope
from schemas.fields import TEXT_MAX
from schemas.intents.clearance import Clearance, Verdict
from schemas.intents.reasons import Gate
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.case import Authentic, GateCase, gate_case, run_rules, verified_report
from signer.core.errors import UnknownAgentError
from signer.core.key_ref import FindKey
from signer.core.registry.registry import Registry
from signer.core.rules.decision import Decision, Rejected
from streams.clearances import ClearanceError, Received

Accounts: TypeAlias = Callable[[str], Account]


@dataclass(frozen=True, slots=True)
class GateProjections:
    """The projections that gates use. They may lag, because the signer decides."""

    registry: Registry
    find_key: FindKey
    accounts: Accounts


@dataclass(frozen=True, slots=True)
class Passage:
    """An admitted intent between two gates; ``source`` names its submitted record."""

    source: str
    case: GateCase
    clearance: Clearance

    def with_report(self, report: Envelope, view: GateProjections) -> "Passage":
        """Return the passage with a simulator's report."""
        case, clearance = self.case, self.clearance
        found, problem = verified_report(report, view.registry, case.intent, case.digest)
        facts = replace(case.facts, simulation=found, simulation_problem=problem)
        carried = clearance.model_copy(update={"simulation": report})
        return Passage(self.source, replace(case, facts=facts), carried)


@dataclass(frozen=True, slots=True)
class RuleGate:
    """One gate: applies the rule for the intent's kind and passes the intent to the next topic.

    A rejected intent goes directly to ``intents.decided``.
    """

    gate: Gate
    writes: Topic

    def judge(self, passage: Passage, accounts: Accounts) -> tuple[Topic, Passage]:
        """Return the next topic, and the passage with this gate's verdict added."""
        case = passage.case
        [(_, decision)] = run_rules(case, accounts(case.intent.account), (self.gate,))
        verdict = _verdict(self.gate, case, decision)
        topic = self.writes if verdict.passed else Topic.DECIDED
        before = passage.clearance
        clearance = Clearance(
            id=event_id(topic, case.digest),
            intent=before.intent,
            envelope=before.envelope,
            verdicts=(*before.verdicts, verdict),
            simulation=before.simulation,
        )
        return topic, Passage(passage.source, case, clearance)


ADMISSION = RuleGate(Gate.ADMISSION, Topic.ADMITTED)
ALLOWLIST = RuleGate(Gate.ALLOWLIST, Topic.ALLOWLISTED)
VALUE_CAP = RuleGate(Gate.VALUE_CAP, Topic.CAPPED)
# Its sums come from a projection of the outcomes, which lags.
DAILY_LIMIT = RuleGate(Gate.DAILY_LIMIT, Topic.WITHIN_LIMIT)
CHAIN_RESTRICTION = RuleGate(Gate.CHAIN_RESTRICTION, Topic.CHAIN_CLEARED)
SIMULATION = RuleGate(Gate.SIMULATION, Topic.DECIDED)
IN_ORDER = (ADMISSION, ALLOWLIST, VALUE_CAP, DAILY_LIMIT, CHAIN_RESTRICTION, SIMULATION)


def case_of(
    authentic: Authentic, view: GateProjections, at_ms: int, report: Envelope | None = None
) -> GateCase:
    """Return an authenticated intent with the facts that gates know."""
    return gate_case(authentic, view.registry, view.find_key, report, at_ms)


def resume(received: Received, view: GateProjections, at_ms: int) -> Passage:
    """Return a received intent for the next gate; raise ``ClearanceError`` for unknown agents."""
    source, clearance, intent = received
    try:
        agent = view.registry.agent_of(intent)
    except UnknownAgentError as error:
        raise ClearanceError(str(error)) from None
    authentic = Authentic(intent, agent, clearance.intent)
    return Passage(source, case_of(authentic, view, at_ms, clearance.simulation), clearance)


def outgoing(topic: Topic, passage: Passage) -> Outgoing:
    """Return the record that passes the intent to a topic."""
    return Outgoing(topic, passage.case.intent.account, passage.clearance.encode())


def _verdict(gate: Gate, case: GateCase, decision: Decision) -> Verdict:
    rejected = decision if isinstance(decision, Rejected) else None
    return Verdict(
        gate=gate,
        at_ms=case.facts.at_ms,
        passed=rejected is None,
        reason=rejected.reason if rejected else None,
        detail=rejected.detail[:TEXT_MAX] if rejected else None,
        policy=case.policy.digest if case.policy else None,
        evidence=decision.evidence or None,
    )

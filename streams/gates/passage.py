"""An intent on its way: what a gate reads, asks and writes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from schemas.canonical import event_id
from schemas.clearance import Clearance, Gate, Verdict
from schemas.dsse import Envelope
from schemas.fields import TEXT_MAX
from schemas.intent import Intent
from schemas.reasons import Reason
from schemas.record import Outgoing
from schemas.registry import AgentSet
from schemas.topics import Topic
from signer.account import Account
from signer.authority import Case
from signer.evidence import judge_report
from signer.keys import KeyRegister
from signer.registry import Registry
from signer.rules.decision import Decision, Facts, Rejected, Rule

Accounts: TypeAlias = Callable[[str], Account]


@dataclass(frozen=True, slots=True)
class World:
    """What gates know: projections that may be late, because the signer decides."""

    registry: Registry
    keys: KeyRegister
    accounts: Accounts


@dataclass(frozen=True, slots=True)
class Passage:
    """An admitted intent between two gates; ``source`` names the record it was submitted in."""

    source: str
    case: Case
    clearance: Clearance

    def with_report(self, report: Envelope, world: World) -> "Passage":
        """Return the passage carrying a simulator's report."""
        case, clearance = self.case, self.clearance
        found, problem = judge_report(report, world.registry, case.intent, case.digest)
        facts = replace(case.facts, simulation=found, simulation_problem=problem)
        carried = clearance.model_copy(update={"simulation": report})
        return Passage(self.source, replace(case, facts=facts), carried)


@dataclass(frozen=True, slots=True)
class RuleGate:
    """One stage: it reads a topic, asks a rule, and writes what passed to the next topic.

    What it rejects goes straight to ``intents.decided``.
    """

    gate: Gate
    reads: Topic
    writes: Topic
    rule: Rule

    def judge(self, passage: Passage, accounts: Accounts) -> tuple[Topic, Passage]:
        """Return where the intent goes next, with this gate's verdict added."""
        case = passage.case
        verdict = self._verdict(case, accounts(case.intent.account))
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

    def _verdict(self, case: Case, account: Account) -> Verdict:
        if case.policy is None:
            return _verdict(self.gate, case, Rejected(Reason.POLICY_MISSING, "no such policy"))
        try:
            decision = self.rule(case.intent, case.policy.policy, account, case.facts)
        except Exception as error:  # noqa: BLE001 - promise 5: a rule that errors refuses
            decision = Rejected(Reason.INTERNAL_ERROR, type(error).__name__)
        return _verdict(self.gate, case, decision)


def case_of(intent: Intent, digest: str, agent: AgentSet, world: World, at_ms: int) -> Case:
    """Gather what a gate may know of an authenticated intent."""
    registry = world.registry
    facts = Facts(
        at_ms=at_ms,
        agent=agent,
        settings=registry.settings,
        signer="",
        chain=registry.chains.get(intent.chain_id),
        key=world.keys.find(intent.account, intent.key_path),
    )
    return Case(intent, digest, registry.policies.get(agent.policy_id), facts)


def outgoing(topic: Topic, passage: Passage) -> Outgoing:
    """Return the record that moves a passage to a topic."""
    return Outgoing(topic, passage.case.intent.account, passage.clearance.encode())


def _verdict(gate: Gate, case: Case, decision: Decision) -> Verdict:
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

"""The interface of rules: the facts they get and the decisions they return."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeAlias

from schemas.intents.reasons import Reason
from schemas.intents.simulation import SimulationReport
from schemas.registry.access import Grant
from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet, ChainSet
from signer.core.account import Account, LiveIntent
from signer.core.ethereum.validation import TransactionProblem
from signer.core.key_ref import KeyRef
from signer.core.registry.settings import Settings


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What a gate knows besides intent, policy and account.

    No field has a default, so that no fact is forgotten. ``grants`` are the agent's grants.
    ``simulation_problem`` is why the report that was sent is not trusted.
    """

    at_ms: int
    agent: AgentSet
    grants: tuple[Grant, ...]
    settings: Settings
    chain: ChainSet | None
    simulation: SimulationReport | None
    simulation_problem: Reason | None
    key: KeyRef | None


@dataclass(frozen=True, slots=True)
class Facts(GateFacts):
    """Everything a decision depends on besides intent, policy and account.

    Only the signer knows these: ``owner`` and ``earlier`` are the live records of this idempotency
    key and of this intent. ``has_marker`` if the agent had intents refused over its rate that
    expire in the same minute, and whose records are gone. ``key_problem`` is why the key could not
    be opened for this decision. ``boot`` is the id of the deciding boot, if attested.
    """

    key_problem: Reason | None
    owner: LiveIntent | None
    earlier: LiveIntent | None
    decided_before: bool
    has_marker: bool
    boot: str | None

    @classmethod
    def remembered(
        cls,
        known: GateFacts,
        *,
        owner: LiveIntent | None,
        earlier: LiveIntent | None,
        decided_before: bool,
        has_marker: bool,
        boot: str | None,
    ) -> "Facts":
        """Add to what a gate knows what the signer remembers, before any key is opened."""
        gate_facts = {one.name: getattr(known, one.name) for one in fields(GateFacts)}
        return cls(
            **gate_facts,
            key_problem=None,
            owner=owner,
            earlier=earlier,
            decided_before=decided_before,
            has_marker=has_marker,
            boot=boot,
        )


class Signable(NamedTuple):
    """The 32-byte digest to sign, and the fields of the outcome that describe it."""

    digest: bytes
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule passes the intent.

    ``signable`` comes from the rule that parsed a message: exactly what it judged is signed.
    """

    evidence: dict[str, str] = field(default_factory=dict)
    signable: Signable | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rule rejects the intent."""

    reason: Reason
    detail: str
    evidence: dict[str, str] = field(default_factory=dict)


Decision: TypeAlias = Passed | Rejected
Rule: TypeAlias = Callable[[Any, Policy, Account, Any], Decision]
"""A rule accepts intents of the kinds that ``signer.core.rules.RULES`` lists it for.

The rule of signing needs `Facts`, so it rejects without them; all others take `GateFacts`.
"""
PASSED = Passed()


def invalid(problem: TransactionProblem) -> Rejected:
    """Return the rejection of a transaction that breaks a rule of the protocol."""
    detail = f"{problem.code}: {problem.detail}"
    evidence = {"code": problem.code, "place": problem.location}
    return Rejected(Reason.INVALID_TRANSACTION, detail, evidence)

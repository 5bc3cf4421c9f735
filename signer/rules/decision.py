"""What a rule gets and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from schemas.access import Grant
from schemas.policy import Policy
from schemas.reasons import Reason
from schemas.registry import AgentSet, ChainSet
from schemas.simulation import SimulationReport
from signer.account import Account, LiveIntent
from signer.ethereum.validation import TransactionProblem
from signer.keys.descriptor import KeyDescriptor
from signer.settings import Settings


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a decision depends on beside intent, policy and account; nothing has a default.

    ``grants`` are the agent's on the paths of vaults;
    ``simulation_problem`` says why there is no trustworthy report although one was sent;
    ``owner`` and ``earlier`` are live records of this idempotency key and of this very intent;
    ``key_problem`` is why the key at the path could not be opened just now; ``boot`` names the life
    of the signer that decides, where that is attested.
    """

    at_ms: int
    agent: AgentSet
    grants: tuple[Grant, ...]
    settings: Settings
    chain: ChainSet | None
    simulation: SimulationReport | None
    simulation_problem: Reason | None
    key: KeyDescriptor | None
    key_problem: Reason | None
    owner: LiveIntent | None
    earlier: LiveIntent | None
    decided_before: bool
    boot: str | None


class Signable(NamedTuple):
    """Hold the 32 bytes that a signature is made over, and the outcome's fields about them."""

    digest: bytes
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule has nothing against the intent.

    ``signable`` is what the rule that read a message has read: what is signed is what was judged.
    """

    evidence: dict[str, str] = field(default_factory=dict)
    signable: Signable | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rule refuses the intent."""

    reason: Reason
    detail: str
    evidence: dict[str, str] = field(default_factory=dict)


Decision: TypeAlias = Passed | Rejected
Rule: TypeAlias = Callable[[Any, Policy, Account, Facts], Decision]
"""A rule takes an intent of the kinds it stands beside in ``signer.rules.RULES``."""
PASSED = Passed()


def invalid(problem: TransactionProblem) -> Rejected:
    """Return the rejection for a transaction that breaks the protocol's own rules."""
    detail = f"{problem.code}: {problem.detail}"
    evidence = {"code": problem.code, "place": problem.place}
    return Rejected(Reason.INVALID_TRANSACTION, detail, evidence)

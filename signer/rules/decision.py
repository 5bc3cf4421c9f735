"""What a rule gets and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.intent import Intent
from schemas.policy import Policy
from schemas.reasons import Reason
from schemas.registry import AgentSet, ChainSet
from schemas.simulation import SimulationReport
from signer.account import Account, LiveIntent
from signer.keys import KeyDescriptor
from signer.settings import Settings


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a decision depends on beside intent, policy and account; nothing has a default.

    ``simulation_problem`` says why there is no trustworthy report although one was sent;
    ``owner`` and ``earlier`` are live records of this idempotency key and of this very intent;
    ``key_open`` is whether the key at the path could be opened just now.
    """

    at_ms: int
    agent: AgentSet
    settings: Settings
    chain: ChainSet | None
    simulation: SimulationReport | None
    simulation_problem: Reason | None
    key: KeyDescriptor | None
    key_open: bool
    owner: LiveIntent | None
    earlier: LiveIntent | None
    decided_before: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule has nothing against the intent."""

    evidence: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rule refuses the intent."""

    reason: Reason
    detail: str
    evidence: dict[str, str] = field(default_factory=dict)


Decision: TypeAlias = Passed | Rejected
Rule: TypeAlias = Callable[[Intent, Policy, Account, Facts], Decision]
PASSED = Passed()

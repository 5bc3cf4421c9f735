"""Simulation reports: simulates passages and signs the results, with any simulator."""

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.dsse import SIMULATION_TYPE, Envelope
from schemas.fields import TEXT_MAX
from schemas.intents.intent import TransactionIntent
from schemas.intents.simulation import BalanceChange, SimulationReport, Status
from signer.custody.event_signing import Ed25519Signer
from streams.gates.passage import Passage
from streams.simulators.simulation import Call, Simulation, SimulationFailure

VALID_MS = 60_000
CHANGES_COUNT_MAX = 256
# On the real chain the same call may cost somewhat more than on the local one.
GAS_MARGIN_PERCENT = 25
NO_KEY = "0x" + "00" * 20


class Simulator(Protocol):
    """Simulates transactions within a deadline; answers every call, with an error if need be."""

    def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Simulation | SimulationFailure]:
        """Return one answer for each call, in order, before the deadline."""
        ...


class Reporter:
    """Simulates intents and signs a report for each, valid for ``VALID_MS``."""

    def __init__(
        self,
        simulator: Simulator,
        identity: Ed25519Signer,
        clock_ms: Callable[[], int],
        deadline_ms: int,
    ) -> None:
        self._simulator = simulator
        self._identity = identity
        self._clock_ms = clock_ms
        self._deadline_ms = deadline_ms

    def __call__(self, passages: Sequence[Passage]) -> list[Envelope]:
        """Return one signed report for each passage."""
        answers = self._simulator.run([_call(p) for p in passages], self._deadline_ms)
        return [self._report(p, answer) for p, answer in zip(passages, answers, strict=True)]

    def _report(self, passage: Passage, answer: Simulation | SimulationFailure) -> Envelope:
        now_ms = self._clock_ms()
        head = SimulationReport(
            simulator=self._identity.keyid,
            intent=passage.case.digest,
            chain_id=passage.case.intent.chain_id,
            status=_status(answer),
            simulated_at_ms=now_ms,
            expires_at_ms=now_ms + VALID_MS,
        )
        update = _error(answer) if isinstance(answer, SimulationFailure) else _result(answer)
        report = head.model_copy(update=update)
        return self._identity.sign_envelope(SIMULATION_TYPE, report.encode())


def _call(passage: Passage) -> Call:
    intent, key = passage.case.intent, passage.case.facts.key
    if not isinstance(intent, TransactionIntent):
        raise TypeError("only transactions are simulated")
    return Call(
        account=intent.account,
        chain_id=intent.chain_id,
        sender=key.address if key and key.signs else NO_KEY,  # other chains' addresses do not fit
        to=intent.to,
        value_wei=intent.value_wei,
        data=bytes.fromhex(intent.data[2:]),
        gas_limit=intent.gas_limit,
        max_fee_per_gas_wei=intent.max_fee_per_gas_wei or intent.gas_price_wei or 0,
    )


def _status(answer: Simulation | SimulationFailure) -> Status:
    if isinstance(answer, Simulation):
        return answer.status.value
    errors: dict[str, Status] = {"no_simulator": "no_simulator", "simulation_timeout": "timeout"}
    return errors.get(answer.code, "failed")


def _error(answer: SimulationFailure) -> dict[str, object]:
    return {"revert_reason": answer.detail[:TEXT_MAX]}


def _result(answer: Simulation) -> dict[str, object]:
    """Return fields of the report, without fee and nonce: a local chain has no real ones."""
    changes = tuple(
        BalanceChange(address=c.address, asset=c.asset, delta=str(c.delta_base_units))
        for c in answer.balance_changes[:CHANGES_COUNT_MAX]
    )
    reason = answer.reason.value if answer.reason else ""
    return {
        "block_number": answer.block_number,
        "gas_used": answer.gas_used,
        "gas_limit": with_margin(answer.gas_limit),
        "revert_reason": f"{reason}: {answer.detail}"[:TEXT_MAX] if reason else None,
        "balance_changes": changes,
    }


def with_margin(gas_limit: int | None) -> int | None:
    """Return the gas limit to send a transaction with, from the least one that works."""
    return None if gas_limit is None else gas_limit * (100 + GAS_MARGIN_PERCENT) // 100

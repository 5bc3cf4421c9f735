"""A simulator behind a circuit breaker: an unresponsive one does not delay every batch."""

import logging
from collections.abc import Callable, Iterable, Sequence

from streams.simulators.balances import ZERO_ADDRESS
from streams.simulators.batch import Answer, failed
from streams.simulators.breaker import Breaker, BreakerLimits, State
from streams.simulators.gas import TRANSACTION_GAS
from streams.simulators.report import Simulator
from streams.simulators.simulation import Call, SimulationFailure

_LOG = logging.getLogger("sixgate.simulator")
_NO_SIMULATOR = "no_simulator"


class GuardedSimulator:
    """Calls a simulator while it answers, and refuses immediately while it does not.

    ``clock_ms`` is monotonic. Use it from one thread at a time, except ``state``.
    """

    def __init__(
        self,
        simulator: Simulator,
        clock_ms: Callable[[], int],
        limits: BreakerLimits | None = None,
    ) -> None:
        self._simulator = simulator
        self._clock_ms = clock_ms
        self._breaker = Breaker(limits or BreakerLimits())
        self._failed_chain = 0
        self._why = ""
        self._logged = State.CLOSED

    @property
    def state(self) -> State:
        """The breaker's state now; safe from any thread."""
        return self._breaker.state(self._clock_ms())

    def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Answer]:
        """Answer all calls in order before the deadline, as ``Simulator`` does."""
        ends_at_ms = self._clock_ms() + deadline_ms
        if self.state is State.HALF_OPEN:
            self._probe(deadline_ms)
            self._log_change()
        if self.state is not State.CLOSED:
            return [
                failed(f"The simulator does not answer; last error: {self._why}") for _ in calls
            ]
        answers = self._simulator.run(calls, max(1, ends_at_ms - self._clock_ms()))
        self._note(zip(calls, answers, strict=True))
        self._log_change()
        return answers

    def _log_change(self) -> None:
        if (state := self.state) is not self._logged:
            self._logged = state
            level = logging.INFO if state is State.CLOSED else logging.WARNING
            facts = {"state": state.name.lower(), "detail": self._why}
            _LOG.log(level, "simulator.breaker_changed", extra=facts)

    def _note(self, ended: Iterable[tuple[Call, Answer]]) -> None:
        """Record the results of calls, but not of calls for chains without a simulator."""
        for call, answer in ended:
            error = answer if isinstance(answer, SimulationFailure) else None
            if error and error.code == _NO_SIMULATOR:
                continue
            if error:
                self._failed_chain = call.chain_id
                self._why = error.detail
            self._breaker = self._breaker.called(failed=error is not None)

    def _probe(self, deadline_ms: int) -> None:
        """Make the cheapest possible call on the chain of the last failed call."""
        chain = self._failed_chain
        probe = Call(
            account="",
            chain_id=chain,
            sender=ZERO_ADDRESS,
            to=ZERO_ADDRESS,
            gas_limit=TRANSACTION_GAS,
        )
        (answer,) = self._simulator.run([probe], deadline_ms)
        error = answer if isinstance(answer, SimulationFailure) else None
        is_down = error is not None and error.code != _NO_SIMULATOR
        self._why = error.detail if error else ""
        self._breaker = self._breaker.probed(self._clock_ms(), failed=is_down)

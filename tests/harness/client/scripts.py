"""Drives the client's operations with scripted answers, without I/O and without waiting."""

import json
from typing import Any, TypeVar

from sixgate_client.session import Answer, Operation, Pause, Reply, Request, Session, Step

T = TypeVar("T")


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def session(**changes: Any) -> Session:
    """Return a session with a stopped clock, and waits and keys that tests can predict."""
    keys = iter(f"key-{number}" for number in range(1_000))
    terms: dict[str, Any] = {
        "clock": Clock(),
        "uniform": lambda low, _high: low,
        "new_key": lambda: next(keys),
        "token": "a-token",
        "agent_id": "agent-1",
    }
    return Session(**(terms | changes))


def reply(status: int, body: object = None, **headers: str) -> Reply:
    content = b"" if body is None else json.dumps(body).encode()
    return Reply(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, content
    )


class Script:
    """Answers the requests of an operation in order and records every step."""

    def __init__(self, *answers: Answer, clock: Clock | None = None) -> None:
        self._answers = iter(answers)
        self._clock = clock
        self.steps: list[Step] = []

    def run(self, operation: Operation[T]) -> T:
        """Carry out an operation; every answer must be used."""
        answer: Answer = None
        while True:
            try:
                step = operation.send(answer)
            except StopIteration as ended:
                assert next(self._answers, None) is None, "answers are left over"
                result: T = ended.value
                return result
            self.steps.append(step)
            answer = self._answer(step)

    def _answer(self, step: Step) -> Answer:
        if isinstance(step, Request):
            return next(self._answers)
        if self._clock is not None:
            self._clock.now_s += step.seconds
        return None

    @property
    def requests(self) -> list[Request]:
        return [step for step in self.steps if isinstance(step, Request)]

    @property
    def pauses_s(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]

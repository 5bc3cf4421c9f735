"""Waiting for the end of a submitted transaction, without I/O."""

from typing import Any

import pytest
from sixgate_client import (
    RefusedError,
    SimulationFailedError,
    SixgateError,
    StillPendingError,
    operations,
)
from sixgate_client.session import ATTEMPTS_MAX, Lost, Operation

from tests.harness.client.scripts import Clock, Script, reply, session

PENDING = {"id": "tx-1", "status": "pending"}
SIGNED = {"id": "tx-1", "status": "signed", "signed_tx": "0x02"}


def waited(clock: Clock, **changes: Any) -> Operation[Any]:
    one = session(clock=clock)
    return operations.submit_and_wait(one, chain="base", to="0x11", **changes)


def test_a_transaction_that_is_signed_in_time_is_not_asked_for_again() -> None:
    assert Script(reply(201, SIGNED)).run(waited(Clock())) == SIGNED


def test_a_pending_transaction_is_polled_until_it_is_signed() -> None:
    script = Script(reply(202, PENDING), reply(200, PENDING), reply(200, SIGNED))
    assert script.run(waited(Clock())) == SIGNED
    paths = [(request.method, request.path) for request in script.requests]
    assert paths[0] == ("POST", "/v1/agents/agent-1/transactions")
    assert paths[1:] == [("GET", "/v1/agents/agent-1/transactions/tx-1")] * 2
    assert script.requests[1].params == {"include_signed_tx": "true"}


def test_an_approval_is_waited_for_too() -> None:
    held = PENDING | {"status": "awaiting_approval"}
    script = Script(reply(202, held), reply(200, SIGNED))
    assert script.run(waited(Clock())) == SIGNED


def test_a_poll_that_is_lost_is_repeated() -> None:
    script = Script(reply(202, PENDING), Lost(OSError("gone")), reply(200, SIGNED))
    assert script.run(waited(Clock())) == SIGNED


@pytest.mark.parametrize(
    ("status", "kind"), [("refused", RefusedError), ("simulation_failed", SimulationFailedError)]
)
def test_a_transaction_that_is_refused_later_raises_as_one_refused_now(
    status: str, kind: type[RefusedError]
) -> None:
    ended = PENDING | {"status": status, "code": "value_too_high", "detail": "0.7 is over 0.5"}
    with pytest.raises(kind, match=r"0\.7 is over 0\.5") as refused:
        Script(reply(202, PENDING), reply(200, ended)).run(waited(Clock()))
    assert (refused.value.reason, refused.value.transaction_id) == ("value_too_high", "tx-1")


@pytest.mark.parametrize("answer", [Lost(OSError("gone")), reply(503)])
def test_a_wait_that_fails_names_the_key_of_the_submission(answer: Any) -> None:
    """The transaction was submitted: the same call again must not be a second one."""
    script = Script(reply(202, PENDING), *[answer] * ATTEMPTS_MAX)
    with pytest.raises(SixgateError) as failed:
        script.run(waited(Clock()))
    assert failed.value.idempotency_key == script.requests[0].headers["idempotency-key"]


def test_the_wait_ends_at_its_deadline_with_the_last_state() -> None:
    clock = Clock()
    script = Script(*[reply(202, PENDING), *[reply(200, PENDING)] * 4], clock=clock)
    with pytest.raises(StillPendingError, match="tx-1 is still pending") as pending:
        script.run(waited(clock, deadline_s=5.0))
    assert pending.value.transaction == PENDING
    assert sum(script.pauses_s) == 5.0

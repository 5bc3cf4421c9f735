"""Tokens, retries and errors of the client, without I/O."""

import json
from typing import Any

import pytest
from sixgate_client import (
    ApprovalRequiredError,
    ConflictError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    RateLimitedError,
    RefusedError,
    ServerError,
    SimulationFailedError,
    SixgateError,
    UnauthenticatedError,
    UnexpectedReplyError,
    administration,
    operations,
)
from sixgate_client.session import ATTEMPTS_MAX, RETRY_AFTER_S_MAX, Lost, Operation, Session

from tests.harness.client.scripts import Clock, Script, reply, session

LOST = Lost(OSError("connection reset"))
TOKEN = {"access_token": "t1", "expires_in": 600, "agent_id": "agent-7"}
SIGNED = {"id": "tx-1", "status": "signed"}


def submitted(one: Session, **fields: Any) -> Operation[Any]:
    return operations.submit(one, chain="base", to="0x11", value="0.1", **fields)


def with_key(key: str = "ocv_secret", **changes: Any) -> Session:
    return session(api_key=key, token=None, agent_id=None, **changes)


def test_an_agent_key_is_exchanged_once_and_names_the_agent() -> None:
    script = Script(reply(200, TOKEN), reply(201, SIGNED), reply(201, SIGNED))
    exchange, post, again = _requests(script, with_key())
    assert (exchange.method, exchange.path) == ("POST", "/v1/auth/agent-token")
    assert json.loads(exchange.body or b"") == {"api_key": "ocv_secret"}
    assert "authorization" not in exchange.headers
    assert post.path == again.path == "/v1/agents/agent-7/transactions"
    assert post.headers["authorization"] == "Bearer t1"


def _requests(script: Script, one: Session) -> list[Any]:
    def both() -> Operation[None]:
        yield from submitted(one)
        yield from submitted(one)

    script.run(both())
    return script.requests


def test_a_persons_key_is_exchanged_at_its_own_endpoint() -> None:
    script = Script(reply(200, {"access_token": "t"}), reply(200, {"agents": []}))
    script.run(administration.agents_page(with_key("1ck_secret"), None))
    assert script.requests[0].path == "/v1/auth/api-key-token"


@pytest.mark.parametrize(("lifetime_s", "valid_s"), [(600, 539), (30, 14)])
def test_a_token_is_renewed_before_it_expires(lifetime_s: int, valid_s: int) -> None:
    clock = Clock()
    one = with_key(clock=clock)
    token = TOKEN | {"expires_in": lifetime_s}
    Script(reply(200, token), reply(200, {})).run(one.call("GET", "/v1/chains"))
    clock.now_s += valid_s
    Script(reply(200, {})).run(one.call("GET", "/v1/chains"))
    clock.now_s += 2
    Script(reply(200, token), reply(200, {})).run(one.call("GET", "/v1/chains"))


def test_a_revoked_token_is_renewed_once() -> None:
    one = with_key()
    answers = [reply(200, TOKEN), reply(401), reply(200, TOKEN | {"access_token": "t2"})]
    script = Script(*answers, reply(201, SIGNED))
    assert script.run(submitted(one)) == SIGNED
    assert script.requests[-1].headers["authorization"] == "Bearer t2"
    refused = Script(reply(401), reply(200, TOKEN), reply(401))
    with pytest.raises(UnauthenticatedError):
        refused.run(submitted(one))


def test_a_given_token_is_never_exchanged() -> None:
    with pytest.raises(UnauthenticatedError):
        Script(reply(401)).run(submitted(session()))


def test_a_wrong_key_is_an_error_of_its_own_kind() -> None:
    with pytest.raises(UnauthenticatedError, match="no such key"):
        Script(reply(401, {"detail": "no such key"})).run(submitted(with_key()))


@pytest.mark.parametrize("body", [{}, [], {"access_token": 5}])
def test_a_token_reply_without_a_token_is_refused(body: object) -> None:
    with pytest.raises(UnexpectedReplyError):
        Script(reply(200, body)).run(submitted(with_key()))


def test_without_a_known_agent_the_server_is_asked_once() -> None:
    one = session(agent_id=None)
    script = Script(reply(200, {"id": "agent-9"}), reply(201, SIGNED))
    script.run(submitted(one))
    assert [request.path for request in script.requests] == [
        "/v1/agents/me",
        "/v1/agents/agent-9/transactions",
    ]
    assert one.agent_id == "agent-9"


@pytest.mark.parametrize("failure", [LOST, reply(500), reply(502), reply(503), reply(504)])
def test_a_submission_is_retried_with_the_same_key_and_bytes(failure: Any) -> None:
    script = Script(failure, failure, reply(200, SIGNED))
    assert script.run(submitted(session())) == SIGNED
    first, *others = script.requests
    assert all(request == first for request in others)
    assert first.headers["idempotency-key"] == "key-0"
    assert len(script.pauses_s) == 2
    assert script.pauses_s[0] < script.pauses_s[1]


def test_every_submission_has_its_own_key_unless_one_is_given() -> None:
    one = session()
    script = Script(reply(201, SIGNED), reply(201, SIGNED))
    keys = [request.headers["idempotency-key"] for request in _requests(script, one)]
    assert keys == ["key-0", "key-1"]
    script = Script(reply(201, SIGNED))
    script.run(submitted(one, idempotency_key="mine"))
    assert script.requests[0].headers["idempotency-key"] == "mine"


@pytest.mark.parametrize(("status", "code"), [(503, "key_unavailable"), (429, "rate_exceeded")])
def test_a_decision_is_not_asked_for_again_whatever_its_status(status: int, code: str) -> None:
    body = {"code": code, "gate": "signing", "transaction_id": "tx-1", "detail": "it failed"}
    script = Script(reply(status, body, retry_after="1"))
    with pytest.raises(SixgateError) as refused:
        script.run(submitted(session()))
    assert (refused.value.gate, refused.value.transaction_id) == ("signing", "tx-1")
    assert refused.value.retry_after_s == 1


@pytest.mark.parametrize("failure", [LOST, reply(503), reply(429, retry_after="1")])
def test_a_post_without_a_key_is_never_retried(failure: Any) -> None:
    script = Script(failure)
    with pytest.raises(SixgateError):
        script.run(administration.rotate_agent_key(session(), "agent-1"))
    assert len(script.steps) == 1


def test_a_put_is_not_retried_because_it_makes_another_version() -> None:
    with pytest.raises(ConnectionFailedError):
        Script(LOST).run(administration.put_secret(session(), "v", "a/b", "value"))


def test_a_read_is_retried_until_the_attempts_end() -> None:
    script = Script(*[LOST] * ATTEMPTS_MAX)
    with pytest.raises(ConnectionFailedError, match="connection reset"):
        script.run(operations.chains(session()))


RUNNING = reply(409, {"code": "request_in_progress", "detail": "running"})


@pytest.mark.parametrize(
    "answers",
    [
        [LOST] * ATTEMPTS_MAX,
        [reply(503)] * ATTEMPTS_MAX,
        [RUNNING] * ATTEMPTS_MAX,
        [LOST, reply(401)],
        [LOST, reply(400)],
        [reply(200)],
    ],
    ids=["lost", "unavailable", "in progress", "lost and revoked", "lost and refused", "no JSON"],
)
def test_a_failed_submission_names_the_key_to_repeat_it_with(answers: list[Any]) -> None:
    """Without its key, a repetition would be a second transaction."""
    with pytest.raises(SixgateError) as failed:
        Script(*answers).run(submitted(session()))
    assert failed.value.idempotency_key == "key-0"


@pytest.mark.parametrize("token", ["secret\n", "secret ", "sec\r\nret", "secr\u00e9t", "secret\0"])
def test_a_secret_that_is_no_header_is_refused_without_repeating_it(token: str) -> None:
    """The error of the HTTP library would show it, and end up in a log."""
    with pytest.raises(ValueError, match="authorization") as refused:
        Script().run(operations.chains(session(token=token)))
    with pytest.raises(ValueError, match="x-client-share") as share:
        Script().run(administration.secret(session(), "v", "a", client_share=token))
    assert "sec" not in str(refused.value) + str(share.value)


def test_the_servers_retry_after_replaces_the_back_off() -> None:
    script = Script(reply(429, retry_after="7"), reply(503, retry_after="3"), reply(200, SIGNED))
    script.run(submitted(session()))
    assert script.pauses_s == [7, 3]


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2026 07:28:00 GMT", "", "-1", "1.5"])
def test_a_retry_after_that_is_no_number_counts_as_absent(after: str) -> None:
    script = Script(reply(429, retry_after=after), reply(200, SIGNED))
    script.run(submitted(session()))
    assert script.pauses_s == [0.25]


def test_a_long_retry_after_is_the_callers_decision() -> None:
    after_s = int(RETRY_AFTER_S_MAX) + 1
    with pytest.raises(RateLimitedError) as limited:
        Script(reply(429, retry_after=str(after_s))).run(submitted(session()))
    assert limited.value.retry_after_s == after_s


def test_a_key_in_progress_is_waited_for_and_a_foreign_one_is_not() -> None:
    running = reply(409, {"code": "request_in_progress", "detail": "running"})
    assert Script(running, running, reply(200, SIGNED)).run(submitted(session())) == SIGNED
    foreign = reply(409, {"code": "idempotency_conflict", "detail": "another request"})
    with pytest.raises(ConflictError) as refused:
        Script(foreign).run(submitted(session()))
    assert refused.value.code == "idempotency_conflict"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, UnauthenticatedError),
        (402, UnexpectedReplyError),
        (403, RefusedError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, UnexpectedReplyError),
        (422, SimulationFailedError),
        (301, UnexpectedReplyError),
        (501, NotSupportedError),
        (505, ServerError),
    ],
)
def test_a_decision_is_raised_at_once_as_its_own_kind(
    status: int, kind: type[SixgateError]
) -> None:
    body = {"detail": "one sentence", "code": "a_reason", "fields": {"to": "is missing"}}
    with pytest.raises(SixgateError, match="one sentence") as failed:
        Script(reply(status, body)).run(submitted(session()))
    assert type(failed.value) is kind
    assert (failed.value.status, failed.value.code) == (status, "a_reason")
    if isinstance(failed.value, InvalidRequestError):
        assert failed.value.fields == {"to": "is missing"}


def test_a_refusal_has_gate_reason_evidence_and_id() -> None:
    body = {
        "detail": "0.7 is over 0.5",
        "code": "value_too_high",
        "gate": "value-cap",
        "evidence": {"value_wei": "7"},
        "transaction_id": "tx-3",
    }
    with pytest.raises(RefusedError) as refused:
        Script(reply(403, body)).run(submitted(session()))
    error = refused.value
    assert (error.reason, error.gate, error.evidence, error.transaction_id) == (
        "value_too_high",
        "value-cap",
        {"value_wei": "7"},
        "tx-3",
    )


def test_a_required_approval_is_told_apart_from_a_refusal() -> None:
    body = {"type": "approval_required", "approval_request_id": "a-1", "detail": "ask first"}
    with pytest.raises(ApprovalRequiredError) as refused:
        Script(reply(403, body)).run(submitted(session()))
    assert refused.value.approval_request_id == "a-1"


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"", b"\xff"])
def test_an_error_without_a_problem_document_still_has_its_kind(content: bytes) -> None:
    broken = reply(404)._replace(content=content)
    with pytest.raises(NotFoundError, match="404"):
        Script(broken).run(submitted(session()))


def test_a_success_without_json_is_refused() -> None:
    with pytest.raises(UnexpectedReplyError, match="without JSON"):
        Script(reply(200)._replace(content=b"<html>")).run(operations.chains(session()))


@pytest.mark.parametrize("name", ["..", ".", "", "a/../b", "a//b", "/a", "a/"])
def test_a_path_never_reaches_another_route(name: str) -> None:
    with pytest.raises(ValueError, match="part of a path"):
        Script().run(administration.secret(session(), "vault", name))


def test_names_are_encoded_into_one_segment() -> None:
    script = Script(reply(200, {}))
    script.run(administration.agent(session(), "a/b?c#d e"))
    assert script.requests[0].path == "/v1/agents/a%2Fb%3Fc%23d%20e"
    script = Script(reply(200, {}))
    script.run(administration.secret(session(), "v", "a/b c%2F"))
    assert script.requests[0].path == "/v1/vaults/v/secrets/a/b%20c%252F"


def test_no_secret_is_in_a_sessions_text() -> None:
    one = with_key("ocv_very_secret")
    Script(reply(200, TOKEN), reply(200, {})).run(one.call("GET", "/v1/chains"))
    assert "very_secret" not in repr(one)
    assert "t1" not in repr(one)

"""Truncated metrics and evidence pages count as lost and are never used as if complete."""

import pytest

from sixgate.api import ApiError
from sixgate.services.attestation_client import fetch
from sixgate.services.probe import Address, State, check_health
from tests.harness.broker.listener import answering
from tools.local.ports import HOST

STALLED_S_MAX = 30.0
STATUS = b"HTTP/1.1 200 OK\r\n"
METRICS = b"# TYPE sixgate_stalled_seconds gauge\nsixgate_stalled_seconds 45.0\n"
EVIDENCE = b'{"report":"00","nonce":"0x00"}'
NEGATIVE_CHUNK = b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n"


def page(body: bytes) -> bytes:
    return STATUS + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def state_told_by(answer: bytes) -> State:
    with answering(answer) as port:
        return check_health(Address(HOST, port), STALLED_S_MAX).state


def code_told_by(answer: bytes) -> str:
    with answering(answer) as port, pytest.raises(ApiError) as caught:
        fetch(Address(HOST, port), "0x00")
    return caught.value.code


def test_a_truncated_metrics_page_is_not_used() -> None:
    whole = page(METRICS)
    assert state_told_by(whole) is State.STALLED
    for passed in range(len(STATUS), len(whole)):
        assert state_told_by(whole[:passed]) is State.ABSENT, passed


def test_a_closed_connection_means_absent_and_another_protocol_unexpected() -> None:
    assert state_told_by(b"") is State.ABSENT
    assert state_told_by(b"\x00\x01\r\n\r\n") is State.UNEXPECTED
    assert state_told_by(STATUS + NEGATIVE_CHUNK) is State.UNEXPECTED


def test_truncated_evidence_is_a_lost_connection() -> None:
    whole = page(EVIDENCE)
    for answer in (*(whole[:passed] for passed in range(len(whole))), STATUS + NEGATIVE_CHUNK):
        assert code_told_by(answer) == "connection_lost", answer

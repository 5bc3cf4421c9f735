"""Arbitrary bytes and splits: a request does not depend on its packets, and nothing is a defect."""

import logging
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.builders.http_server import (
    GET,
    HOST_LINE,
    LAST_GET,
    Attacked,
    answers,
    ask,
    connected,
    rest_of,
)
from tests.harness.sizes import effort

POST = b"POST /one HTTP/1.1\r\n" + HOST_LINE + b"Content-Length: 3\r\n\r\nabc"
CHUNKS = b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n"
CHUNKED = b"POST /two HTTP/1.1\r\n" + HOST_LINE + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
STREAM = POST + CHUNKED + GET + LAST_GET
ALLOWED = {100, 200, 400, 408, 413, 431, 501, 505}


@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=12, unique=True))
@settings(effort(0.5), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_requests_do_not_depend_on_their_packets(attacked: Attacked, cuts: list[int]) -> None:
    ends = [*sorted(cuts), len(STREAM)]
    with connected(attacked.address) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin, end in zip([0, *ends], ends, strict=False):
            link.sendall(STREAM[begin:end])
        found = answers(rest_of(link))
    assert [answer.status for answer in found] == [200] * 4
    assert [answer.json()["body"] for answer in found] == ["abc", "abcde", "", ""]


def test_requests_may_come_byte_by_byte(attacked: Attacked) -> None:
    with connected(attacked.address) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(len(STREAM)):
            link.sendall(STREAM[number : number + 1])
        assert [answer.status for answer in answers(rest_of(link))] == [200] * 4


@given(
    at=st.integers(0, len(STREAM) - 1),
    removed=st.integers(0, 20),
    inserted=st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"Transfer-Encoding: chunked\r\n",
             b"Content-Length: 7\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"0\r\n\r\n"]
        ),
    ),
)  # fmt: skip
@settings(effort(2), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_a_defect(
    attacked: Attacked, caplog: pytest.LogCaptureFixture, at: int, removed: int, inserted: bytes
) -> None:
    with connected(attacked.address) as link:
        link.sendall(STREAM[:at] + inserted + STREAM[at + removed :])
        link.shutdown(socket.SHUT_WR)  # ends a request that is incomplete now
        found = answers(rest_of(link))
    assert {answer.status for answer in found} <= ALLOWED
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert ask(attacked.address, LAST_GET)[0].status == 200

"""Attacks through webhooks: forged requests, hostile receivers, leaked secrets."""

import base64
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest

from sixgate.webhooks import connection
from sixgate.webhooks.destinations import DestinationRules
from sixgate.webhooks.errors import WebhookInvalidError
from sixgate.webhooks.signing import secret_key
from sixgate.webhooks.store import Changes
from tests.harness.broker.listener import Listener
from tests.harness.builders.waiting import WAIT_S_MAX, until
from tests.harness.webhooks.receiver import (
    ACCEPTED,
    Received,
    always,
    receiving,
    tls_contexts,
)
from tests.harness.webhooks.rig import Rig

STRICT = DestinationRules()
ALL_LOOPBACK = DestinationRules((ip_network("127.0.0.0/8"),))
# Short, because the attacks below use up the whole time; no assertion depends on it.
TIMEOUT_S = 0.5
FORGED = (
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data/iam/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://localhost:8443/",
    "http://example.com/",
    "https://example.com@169.254.169.254/",
    "https://example.com/\r\nHost: internal",
    "https://example.com/ HTTP/1.1\r\nX-Injected: 1\r\n\r\nGET /",
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, timeout_s=TIMEOUT_S)
    with closing(rig.store):
        yield rig


def failure_of(rig: Rig, url: str) -> str:
    """Deliver one event to a URL, which must fail; return the recorded problem."""
    created = rig.create(url)
    rig.source.add()
    rig.run()
    state = rig.webhooks.get(created.id)
    assert (state.position, state.failures) == (created.position, 1)
    assert state.last_error is not None
    return state.last_error


@pytest.mark.parametrize("url", FORGED)
def test_a_webhook_to_a_private_or_ambiguous_address_is_neither_created_nor_changed_to(
    tmp_path: Path, url: str
) -> None:
    rig = Rig(tmp_path, STRICT)
    with pytest.raises(WebhookInvalidError) as refusal:
        rig.create(url)
    assert refusal.value.field == "url"
    assert rig.webhooks.list() == []
    genuine = rig.create("https://example.com/")
    with pytest.raises(WebhookInvalidError):
        rig.webhooks.update(genuine.id, Changes(url=url))
    assert rig.webhooks.get(genuine.id) == genuine


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "64:ff9b::7f00:1"]
)
def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(
    tmp_path: Path, address: str
) -> None:
    server, client = tls_contexts(tmp_path / "ca", ["hook.example"])
    rig = Rig(tmp_path, STRICT, lambda _host, _port: [address], client)
    with receiving(always(ACCEPTED), server) as receiver:
        assert "not in an allowed network" in failure_of(rig, receiver.url("hook.example"))
        assert receiver.connections == 0


def test_a_name_rebound_between_check_and_connect_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]]
    asked: list[str] = []

    def rebind(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    def resolve_again(*_values: object, **_named: object) -> None:
        pytest.fail("a checked name was resolved a second time")

    monkeypatch.setattr(socket, "getaddrinfo", resolve_again)
    rig = Rig(tmp_path, resolve=rebind)
    with receiving(always(ACCEPTED)) as receiver:
        created = rig.create(receiver.url("hook.example"))
        rig.source.add()
        rig.run()
        assert asked == ["hook.example"]
        rig.source.add()
        rig.run()  # now the name leads elsewhere: the address is checked again, and refused
        problem = rig.webhooks.get(created.id).last_error
        assert problem is not None
        assert "resolves to 127.0.0.2" in problem
        assert len(receiver.received) == 1
        rig.later(5_000)
    assert [request.headers["webhook-id"] for request in receiver.received] == ["evt_1", "evt_2"]


def test_a_redirect_to_a_private_server_is_not_followed(rig: Rig) -> None:
    with receiving(always(ACCEPTED)) as private:
        for status in (301, 302, 303, 307, 308):
            target = f"Location: {private.url()}".encode()
            answer = b"HTTP/1.1 %d Moved\r\n%s\r\nContent-Length: 0\r\n\r\n" % (status, target)
            with receiving(always(answer)) as receiver:
                assert f"redirect (status {status})" in failure_of(rig, receiver.url())
        assert private.connections == 0


def test_a_certificate_for_the_address_instead_of_the_name_is_refused(tmp_path: Path) -> None:
    server, client = tls_contexts(tmp_path / "ca", [])
    rig = Rig(tmp_path, tls=client)
    with receiving(always(ACCEPTED), server) as receiver:
        assert "certificate" in failure_of(rig, receiver.url("hook.example"))
        assert receiver.received == []


def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    server, _ = tls_contexts(tmp_path / "one", ["hook.example"])
    _, client = tls_contexts(tmp_path / "two", ["hook.example"])
    rig = Rig(tmp_path, tls=client)
    with receiving(always(ACCEPTED), server) as receiver:
        assert "certificate" in failure_of(rig, receiver.url("hook.example"))
        assert receiver.received == []


def test_proxies_of_the_environment_see_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(always(ACCEPTED)) as proxy, receiving(always(ACCEPTED)) as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
            monkeypatch.setenv(name.upper(), proxy.url())
        rig.create(receiver.url("hook.example"))
        rig.source.add()
        rig.run()
        assert (len(receiver.received), proxy.connections) == (1, 0)


def test_of_a_huge_answer_only_a_bounded_part_is_read(rig: Rig) -> None:
    cut_off = threading.Event()

    def flood(client: socket.socket, _request: Received) -> None:
        try:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n")
            while True:
                client.sendall(bytes(65_536))
        except OSError:
            cut_off.set()

    with receiving(flood) as receiver:
        created = rig.create(receiver.url())
        rig.source.add()
        rig.run()
        assert rig.webhooks.get(created.id).position == 1  # the status was a success
        assert cut_off.wait(WAIT_S_MAX)


HOSTILE_STARTS = {
    "endless header line": (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1024, "not valid HTTP"),
    "endless headers": (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 100, "not valid HTTP"),
    "endless status line": (b"HTTP/1.1 200 ", b"a" * 1024, "not valid HTTP"),
    "endless continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "in time"),
    "no HTTP": (b"", b"220 mail.example ESMTP\r\n", "not valid HTTP"),
}


@pytest.mark.parametrize(
    ("start", "rest", "problem"), HOSTILE_STARTS.values(), ids=HOSTILE_STARTS.keys()
)
def test_a_never_ending_answer_ends_as_a_failure(
    rig: Rig, start: bytes, rest: bytes, problem: str
) -> None:
    def flood(client: socket.socket, _request: Received) -> None:
        client.sendall(start)
        while True:
            client.sendall(rest)

    with receiving(flood) as receiver:
        assert problem in failure_of(rig, receiver.url())


@pytest.mark.parametrize("trickled", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_slow_loris_is_cut_off_at_the_deadline_of_the_whole_delivery(
    rig: Rig, trickled: bytes
) -> None:
    ended = threading.Event()

    def trickle(client: socket.socket, _request: Received) -> None:
        with client:
            client.sendall(trickled)
            while not ended.wait(TIMEOUT_S / 20):  # each byte comes before any time-out of a read
                client.sendall(b"a")

    with receiving(trickle) as receiver:
        assert "in time" in failure_of(rig, receiver.url())
        ended.set()


def test_a_slow_loris_within_tls_is_cut_off_too(tmp_path: Path) -> None:
    ended = threading.Event()

    def trickle(client: socket.socket, _request: Received) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not ended.wait(TIMEOUT_S / 20):
            client.sendall(b"a")

    server, tls = tls_contexts(tmp_path / "ca", ["hook.example"])
    rig = Rig(tmp_path, tls=tls, timeout_s=TIMEOUT_S)
    with receiving(trickle, server) as receiver:
        assert "in time" in failure_of(rig, receiver.url("hook.example"))
        ended.set()


def test_a_receiver_that_never_answers_or_never_greets_is_a_failure(tmp_path: Path) -> None:
    released = threading.Event()

    def hold(client: socket.socket) -> None:
        with client:
            released.wait(WAIT_S_MAX)

    _, tls = tls_contexts(tmp_path / "ca", ["hook.example"])
    rig = Rig(tmp_path, tls=tls, timeout_s=TIMEOUT_S)
    with closing(Listener(hold)) as silent:
        for scheme in ("http", "https"):
            assert "in time" in failure_of(rig, f"{scheme}://hook.example:{silent.port}/")
        released.set()


def test_a_refused_connection_and_a_closed_one_are_failures(rig: Rig) -> None:
    with closing(Listener(socket.socket.close)) as closing_at_once:
        url = f"http://hook.example:{closing_at_once.port}/"
        assert "connection" in failure_of(rig, url)
    assert "refused" in failure_of(rig, url)


def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_values: object, **_named: object) -> list[object]:
        released.wait(WAIT_S_MAX)
        return []

    monkeypatch.setattr(connection, "RESOLVE_S_MAX", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(TimeoutError):
        connection.resolve_name("hook.example", 443)
    released.set()


def test_the_systems_resolver_gives_addresses_and_errors() -> None:
    assert "127.0.0.1" in connection.resolve_name("localhost", 443)
    with pytest.raises(OSError, match=r".*"):
        connection.resolve_name("does-not-exist.invalid", 443)


def test_no_secret_is_in_logs_errors_or_texts(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig, "_draw", lambda count: bytes(range(100, 100 + count)))
    answers = [
        b"HTTP/1.1 500 Broken\r\n\r\n",
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 410 Gone\r\n\r\n",
    ]
    with caplog.at_level(logging.DEBUG):
        for answer in answers:
            with receiving(always(answer)) as receiver:
                created = rig.create(receiver.url(path="/secret-path?token=abc"))
                rig.source.add()
                rig.run()
                state = rig.webhooks.get(created.id)
                texts = [repr(state), str(state.last_error), str(state.disabled_reason)]
                rig.webhooks.delete(created.id)
            records = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
            key = secret_key(created.secret)
            for leak in (
                created.secret, created.secret.removeprefix("whsec_"), key.hex(), repr(key),
                base64.urlsafe_b64encode(key).decode(), "secret-path", "token=abc",
            ):  # fmt: skip
                assert not [text for text in (*records, *texts) if leak in text]
    until(lambda: any(record.getMessage() == "webhook.disabled" for record in caplog.records))
    given = "whsec_not-a-secret"
    with pytest.raises(WebhookInvalidError) as refusal:
        rig.webhooks.create("https://example.com/", ["*"], given, "user:owner")
    assert given not in str(refusal.value)

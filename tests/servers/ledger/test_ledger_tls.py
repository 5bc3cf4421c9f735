"""Mutual TLS to the ledger's server: nothing is sent unless both sides are authenticated."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerDeniedError, LedgerUnreachableError
from streams.ledger.server import Server, Tls
from tests.harness.broker.ledger_servers import as_user
from tests.harness.broker.listener import Listener
from tests.harness.broker.proxy import CuttingProxy
from tools.local.certificates import Authority
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.ports import HOST


class TlsFront:
    """A TLS 1.3 proxy with client certificates for the server's plain port."""

    def __init__(self, port: int, authority: Authority) -> None:
        own = authority.issue("server")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_cert_chain(own)
        self._context.load_verify_locations(authority.file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._target = (HOST, port)
        self.taken = 0
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def close(self) -> None:
        self._listener.close()

    def _serve(self, raw: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        with client, socket.create_connection(self._target) as server, suppress(OSError):
            client.settimeout(0.01)
            server.settimeout(0.01)
            while True:
                for source, target in ((client, server), (server, client)):
                    with suppress(TimeoutError):
                        part = source.recv(65_536)
                        if not part:
                            return
                        self.taken += source is client
                        target.settimeout(None)
                        target.sendall(part)
                        target.settimeout(0.01)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def front(ledger_server: LocalServer, authority: Authority) -> Iterator[TlsFront]:
    with closing(TlsFront(ledger_server.port, authority)) as made:
        yield made


@pytest.fixture
def server(ledger_server: LocalServer, front: TlsFront, authority: Authority) -> Server:
    own = authority.issue("ledger")
    tls = Tls(authority.file, own, own)
    return replace(as_user(ledger_server, "ledger_reader"), port=front.port, tls=tls)


def test_both_certificates_and_the_password_open_it(server: Server) -> None:
    with closing(ClickHouse.server(server, "default")) as clickhouse:
        assert clickhouse.rows("SELECT currentUser()") == [("ledger_reader",)]


def test_a_certificate_is_no_password(server: Server) -> None:
    with pytest.raises(LedgerDeniedError):
        ClickHouse.server(replace(server, password="wrong"))  # noqa: S106 - a test's


@pytest.mark.parametrize("wrong", ["their authority", "our certificate", "none", "host"])
def test_an_unauthenticated_peer_gets_nothing(
    server: Server, front: TlsFront, tmp_path: Path, wrong: str
) -> None:
    assert server.tls is not None
    stranger = Authority(tmp_path)
    theirs = stranger.issue("ledger")
    attempt = {
        "their authority": replace(server, tls=replace(server.tls, ca=stranger.file)),
        "our certificate": replace(server, tls=replace(server.tls, certificate=theirs, key=theirs)),
        "none": replace(server, tls=Tls(server.tls.ca)),
        "host": replace(server, host="localhost"),
    }[wrong]
    before = front.taken
    with pytest.raises(LedgerUnreachableError):
        ClickHouse.server(attempt)
    assert front.taken == before


@pytest.mark.parametrize("passed", [40, 120, 300])
def test_a_cut_connection_never_gives_an_empty_result(
    server: Server, ledger_server: LocalServer, authority: Authority, passed: int
) -> None:
    with (
        closing(CuttingProxy(ledger_server.port)) as proxy,
        closing(TlsFront(proxy.port, authority)) as front,
        closing(ClickHouse.server(replace(server, port=front.port), "default")) as clickhouse,
    ):
        proxy.cut_after(passed)
        with pytest.raises(LedgerUnreachableError):
            clickhouse.rows("SELECT 1")


def test_a_file_that_is_missing_is_one_sentence(server: Server, tmp_path: Path) -> None:
    assert server.tls is not None
    gone = tmp_path / "gone.pem"
    with pytest.raises(LedgerUnreachableError, match=r"\.$"):
        ClickHouse.server(replace(server, tls=replace(server.tls, ca=gone)))

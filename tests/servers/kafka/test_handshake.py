"""A broker that closes a handshake without a TLS alert is unreachable; it refused nothing."""

import asyncio
import socket
import ssl
from contextlib import closing, suppress
from pathlib import Path

import pytest

from streams.kafka.broker import Broker, Tls
from streams.kafka.errors import KafkaBusError, KafkaDeniedError, KafkaUnreachableError
from streams.kafka.handshake import diagnose_tls
from tests.harness.broker.listener import Listener
from tools.local.certificates import Authority
from tools.local.ports import HOST

RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: close immediately, with RST


def diagnosed(folder: Path, believed: Path, *, shakes: bool, resets: bool) -> KafkaBusError:
    """Return the diagnosis of a listener that trusts an authority and then closes."""
    authority = Authority(folder)
    own = authority.issue("broker")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=believed)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(own)

    def serve(client: socket.socket) -> None:
        with suppress(OSError):
            if shakes:
                client = context.wrap_socket(client, server_side=True)
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

    with closing(Listener(serve)) as listener:
        broker = Broker(f"{HOST}:{listener.port}", "tests", Tls(authority.file, own, own))
        with pytest.raises(KafkaBusError) as found:
            asyncio.run(diagnose_tls(broker))
    return found.value


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("shakes", [False, True])
def test_a_broker_that_closes_the_connection_is_unreachable(
    tmp_path: Path, *, shakes: bool, resets: bool
) -> None:
    fault = diagnosed(tmp_path, Authority(tmp_path).file, shakes=shakes, resets=resets)
    assert isinstance(fault, KafkaUnreachableError)
    assert str(tmp_path / "broker.pem") in str(fault)


def test_a_broker_that_rejects_our_certificate_denies(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").file
    assert isinstance(diagnosed(tmp_path, other, shakes=True, resets=False), KafkaDeniedError)

"""TLS: version 1.2 or later, client certificates where they are asked for."""

import ssl
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from sixgate.api.acceptor import HANDSHAKES_MAX
from sixgate.api.server import Address
from sixgate.config.tls import ServerTls
from sixgate.errors import SettingsError
from tests.harness.builders.http_server import (
    GET,
    LAST_GET,
    Answer,
    EchoApp,
    answers,
    connected,
    rest_of,
    served,
)
from tests.harness.builders.waiting import until
from tools.local.certificates import Authority

SHORT, LONG = 0.2, 3_600
ENDLESS = GET.replace(b"/seen", b"/endless")


class Keys(NamedTuple):
    """Certificates of one authority, and of a stranger."""

    ca: Path
    server: Path
    client: Path
    stranger: Path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("tls")
    authority, other = Authority(folder / "own"), Authority(folder / "other")
    return Keys(
        authority.file, authority.issue("server"), authority.issue("trader"), other.issue("trader")
    )


def server_tls(keys: Keys, **fields: Any) -> ssl.SSLContext:
    files = {"certificate": keys.server, "key": keys.server}
    return ServerTls.model_validate(files | fields).context("[api.tls]")


def client_tls(keys: Keys, identity: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(keys.ca))
    if identity:
        context.load_cert_chain(identity)
    return context


@contextmanager
def secure_link(address: Address, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        connected(address) as link,
        context.wrap_socket(link, server_hostname="127.0.0.1") as secure,
    ):
        yield secure


def asked(address: Address, context: ssl.SSLContext) -> Answer | None:
    """Return the answer, or None if the server refuses the handshake.

    In TLS 1.3 a client learns of the refusal of its certificate when it reads.
    """
    with suppress(ssl.SSLError, ConnectionError), secure_link(address, context) as link:
        link.sendall(LAST_GET)
        return next(iter(answers(rest_of(link))), None)
    return None


def certificate_of(answer: Answer | None) -> str | None:
    assert answer is not None
    found: str | None = answer.json()["certificate"]
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_served_with_strict_transport_security(
    keys: Keys, version: ssl.TLSVersion
) -> None:
    context = client_tls(keys)
    context.minimum_version = context.maximum_version = version
    with served(EchoApp(), tls=server_tls(keys)) as address:
        assert address.url.startswith("https://127.0.0.1:")
        answer = asked(address, context)
    assert answer is not None
    assert answer.status == 200
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert (answer.json()["client"], answer.json()["certificate"]) == ("127.0.0.1", None)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_tls_1_1_is_refused(keys: Keys, version: ssl.TLSVersion) -> None:
    """The same client is served if it uses version 1.2."""
    context = client_tls(keys)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this client would refuse it itself
    with served(EchoApp(), tls=server_tls(keys)) as address:
        assert (asked(address, context) is None) == (version is ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize(
    ("ciphers", "is_served"),
    [
        ("ECDHE-ECDSA-AES128-SHA256", False),
        ("ECDHE-ECDSA-AES128-SHA", False),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
    ],
)
def test_tls_1_2_needs_authenticated_encryption(
    keys: Keys, ciphers: str, *, is_served: bool
) -> None:
    context = client_tls(keys)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    with served(EchoApp(), tls=server_tls(keys)) as address:
        assert (asked(address, context) is not None) == is_served


def test_plain_http_is_refused_at_a_tls_port(keys: Keys) -> None:
    app = EchoApp()
    with served(app, tls=server_tls(keys)) as address, connected(address) as link:
        link.sendall(LAST_GET)
        assert answers(rest_of(link)) == []
    assert app.seen == []


def test_a_required_certificate_must_come_from_the_authority(keys: Keys) -> None:
    tls = server_tls(keys, client_ca=keys.ca, client_required=True)
    app = EchoApp()
    with served(app, tls=tls) as address:
        assert asked(address, client_tls(keys)) is None
        assert asked(address, client_tls(keys, keys.stranger)) is None
        assert app.seen == []
        assert certificate_of(asked(address, client_tls(keys, keys.client))) == "trader"


def test_an_optional_certificate_may_be_missing_but_not_wrong(keys: Keys) -> None:
    tls = server_tls(keys, client_ca=keys.ca)
    with served(EchoApp(), tls=tls) as address:
        assert certificate_of(asked(address, client_tls(keys))) is None
        assert certificate_of(asked(address, client_tls(keys, keys.client))) == "trader"
        assert asked(address, client_tls(keys, keys.stranger)) is None


def test_a_handshake_has_a_deadline(keys: Keys) -> None:
    with (
        served(EchoApp(), tls=server_tls(keys), handshake_s_max=SHORT) as address,
        connected(address) as link,
    ):
        assert rest_of(link) == b""


def test_stalled_handshakes_make_room_for_genuine_clients(keys: Keys) -> None:
    with (
        served(EchoApp(), tls=server_tls(keys), handshake_s_max=LONG) as address,
        ExitStack() as stack,
    ):
        stalled = [stack.enter_context(connected(address)) for _ in range(HANDSHAKES_MAX + 1)]
        assert certificate_of(asked(address, client_tls(keys))) is None
        assert rest_of(stalled[0]) == b""


def test_a_client_that_does_not_read_is_cut_off_over_tls(keys: Keys) -> None:
    app = EchoApp()
    with (
        served(app, tls=server_tls(keys), write_s_max=SHORT) as address,
        secure_link(address, client_tls(keys)) as slow,
    ):
        slow.sendall(ENDLESS)
        until(lambda: app.sent_bytes >= 2**31)
        with suppress(ssl.SSLError):
            assert len(rest_of(slow)) < 2**27


def test_a_client_may_stay_connected_while_the_server_stops(keys: Keys) -> None:
    with served(EchoApp(), tls=server_tls(keys)) as address:
        link = connected(address)
        secure = client_tls(keys).wrap_socket(link, server_hostname="127.0.0.1")
        secure.sendall(GET)
        assert secure.recv(1) == b"H"
    with secure, suppress(ssl.SSLError):
        rest_of(secure)


def test_unusable_files_are_named(keys: Keys, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(SettingsError, match=r"missing\.pem .*\[api\.tls\]"):
        server_tls(keys, key=missing)
    with pytest.raises(ValidationError, match="client_required needs client_ca"):
        server_tls(keys, client_required=True)

"""Only a valid certificate with exactly one common name, a known one, opens a process's server."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sixgate.api.exchange import Receive, Scope, Send
from sixgate.clocks import wall_ms
from sixgate.config.sections import TlsFiles
from sixgate.remote_calls.mutual_tls import server_context
from sixgate.remote_calls.process_server import ListenConfig, serving_clients
from sixgate.remote_calls.replies import send_json
from tools.local.certificates import Authority
from tools.local.ports import free_port

NOW = dt.datetime.fromtimestamp(wall_ms() / 1000, dt.UTC)
DAY = dt.timedelta(days=1)
CN, OU = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME
Part = tuple[x509.ObjectIdentifier, str]
CLIENTS = frozenset({"gateway"})


def subject(rdns: Iterable[Iterable[Part]]) -> x509.Name:
    """Return a name; each part of it may have several attributes."""
    return x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(*one) for one in parts])
            for parts in rdns
        ]
    )


class OwnAuthority:
    """An authority that certifies any name for any time."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = subject([[(CN, name)]])
        own = self._builder(self._name, self._key, NOW + DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._signed(own))

    def issue(self, name: x509.Name, until: dt.datetime = NOW + DAY) -> Path:
        """Write a key and its certificate to a file."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = self._folder / "client.pem"
        file.write_bytes(private + self._signed(self._builder(name, key, until)))
        return file

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, until: dt.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 3 * DAY)
            .not_valid_after(until)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


async def reached(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, b"{}")


@asynccontextmanager
async def served(folder: Path, clients: Path) -> AsyncIterator[tuple[str, Path]]:
    """Serve clients of an authority; yield the URL, and the server's own authority."""
    authority = Authority(folder / "server")
    identity = authority.issue("server")
    tls = server_context(TlsFiles(ca=clients, certificate=identity, key=identity), "desk")
    at = ListenConfig("desk", "127.0.0.1", free_port(), tls, CLIENTS)
    async with serving_clients(reached, at, 1024):
        yield f"https://{at.address}", authority.file


def status_for(folder: Path, clients: Path, certificate: Path | None) -> int | None:
    """Return the status of a request, or None if the server ended the handshake."""

    async def asked() -> int | None:
        async with served(folder, clients) as (url, authority):
            context = ssl.create_default_context(cafile=str(authority))
            if certificate:
                context.load_cert_chain(certificate)
            async with httpx.AsyncClient(verify=context, trust_env=False) as client:
                try:
                    return (await client.get(url)).status_code
                except httpx.TransportError:
                    return None

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ([[(CN, "gateway")]], 200),
        ([[(OU, "kafka"), (CN, "gateway")]], 200),
        ([[(CN, "signer")]], 403),
        ([[(OU, "gateway")]], 403),
        ([[(CN, "gateway"), (CN, "signer")]], 403),
        ([[(CN, "gateway")], [(CN, "signer")]], 403),
        ([[(CN, "signer")], [(CN, "gateway")]], 403),
        ([[(CN, "Gateway")]], 403),
        ([[(CN, "gateway ")]], 403),
        ([[(CN, "gateway\x00signer")]], 403),
        ([[(CN, "gateway,CN=signer")]], 403),
    ],
)
def test_one_common_name_decides(tmp_path: Path, name: list[list[Part]], status: int) -> None:
    clients = OwnAuthority(tmp_path, "clients")
    assert status_for(tmp_path, clients.file, clients.issue(subject(name))) == status


def test_an_invalid_certificate_ends_the_handshake(tmp_path: Path) -> None:
    clients, other = OwnAuthority(tmp_path, "clients"), OwnAuthority(tmp_path, "other")
    name = subject([[(CN, "gateway")]])
    assert status_for(tmp_path, clients.file, None) is None
    assert status_for(tmp_path, clients.file, clients.issue(name, NOW - DAY)) is None
    assert status_for(tmp_path, clients.file, other.issue(name)) is None
    assert status_for(tmp_path, clients.file, clients.issue(name)) == 200

"""``sixgate custody`` over mutual TLS: authentication, sealed answers and false servers."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas.keys.secret_requests import SecretAnswer, answer_context
from signer.secrets.secret_service import SecretService
from sixgate.api import ApiError
from sixgate.api.client_address import LOCAL_SOCKET
from sixgate.config.internal_servers import CustodyAddress
from sixgate.config.sections import TlsFiles
from sixgate.custody.link import CustodyLink
from sixgate.custody.reading import read
from sixgate.custody.serving import REQUEST_BYTES_MAX, custody_app
from sixgate.remote_calls.mutual_tls import server_context
from sixgate.remote_calls.process_server import ListenConfig, serving_clients
from streams.kafka.errors import KafkaWriteUnknownError
from tests.harness.broker.listener import Listener
from tests.harness.builders.secret_vaults import (
    ALL,
    READER,
    VALUE,
    MemoryReadEnvironment,
    order,
    put,
    request,
    secret_service,
)
from tools.local.certificates import Authority
from tools.local.ports import HOST, free_port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


@dataclass
class Served:
    """A listening custody server, and its failures."""

    authority: Authority
    service: SecretService
    port: int = field(default_factory=free_port)
    environment: MemoryReadEnvironment = field(default_factory=MemoryReadEnvironment)
    failures: list[BaseException] = field(default_factory=list)

    async def ask(
        self, raw: bytes, own: Path | None = None, client_address: str | None = None
    ) -> dict[str, object]:
        """Send a request as an operator, or with another certificate."""

        def asked() -> dict[str, object]:
            with closing(CustodyLink(self.address(own))) as link:
                return link.read_secret(base64.b64encode(raw).decode(), client_address)

        return await asyncio.to_thread(asked)

    def address(self, own: Path | None = None) -> CustodyAddress:
        own = own or self.authority.issue("operators")
        tls = TlsFiles(ca=self.authority.file, certificate=own, key=own)
        return CustodyAddress(url=f"https://{HOST}:{self.port}", tls=tls, call_ms_max=10_000)


@asynccontextmanager
async def served(authority: Authority) -> AsyncIterator[Served]:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        here = Served(authority, service)
        own = authority.issue("custody")
        files = TlsFiles(ca=authority.file, certificate=own, key=own)
        tls = server_context(files, "custody")
        listening = ListenConfig(
            "custody", HOST, here.port, tls, frozenset({"operators", "gateway"})
        )
        app = custody_app(here.environment, service, here.failures.append, {"gateway"})
        async with serving_clients(app, listening, REQUEST_BYTES_MAX):
            yield here


def run(main: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(main())


async def refusal(here: Served, raw: bytes, own: Path | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await here.ask(raw, own)
    return caught.value


def test_an_answer_is_sealed_and_the_client_is_recorded(authority: Authority) -> None:
    async def main() -> None:
        async with served(authority) as here:
            found = await here.ask(request())
            box = base64.b64decode(str(found["box"]))
            assert VALUE not in box
            (name,) = here.service.seen.seen_at_ms
            (secret,) = SecretAnswer.decode(bytes(READER.open(box, answer_context(name)))).secrets
            assert secret.value == f"0x{VALUE.hex()}"
            assert [record["client_address"] for record in here.environment.records] == [HOST]

    run(main)


@pytest.mark.parametrize(
    ("client", "named", "recorded"),
    [
        ("gateway", "2001:db8::7", "2001:db8::7"),
        ("gateway", LOCAL_SOCKET, LOCAL_SOCKET),
        ("gateway", None, HOST),
        ("operators", "203.0.113.7", HOST),
    ],
)
def test_only_a_gateway_names_the_address_of_its_client(
    authority: Authority, client: str, named: str | None, recorded: str
) -> None:
    async def main() -> None:
        async with served(authority) as here:
            await here.ask(request(), authority.issue(client), named)
            assert [record["client_address"] for record in here.environment.records] == [recorded]

    run(main)


@pytest.mark.parametrize("named", ["", "x" * 100, "nowhere", "fe80::1%" + "z" * 100, "fe80::1%é"])
def test_an_address_that_no_record_can_hold_is_refused(authority: Authority, named: str) -> None:
    async def main() -> None:
        async with served(authority) as here:
            with pytest.raises(ApiError):
                await here.ask(request(), authority.issue("gateway"), named)
            assert here.failures == []  # one would end the process
            assert here.environment.records == []

    run(main)


def test_a_refusal_equals_that_of_the_embedded_form(authority: Authority) -> None:
    async def main() -> None:
        async with served(authority) as here:
            for raw, code in (
                (b"nothing", "read_refused"),
                (request(account="ops"), "access_refused"),
                (request(path="none"), "secret_unknown"),
            ):
                error = await refusal(here, raw)
                assert error.code == code
                with pytest.raises(ApiError) as ours, secret_service("envelope", ALL) as service:
                    read(MemoryReadEnvironment(), service, raw, "")
                assert str(error) == str(ours.value)
            assert here.failures == []

    run(main)


def test_a_client_with_a_wrong_certificate_or_name_gets_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    async def main() -> None:
        async with served(authority) as here:
            forged = Authority(tmp_path).issue("operators")
            for own in (forged, authority.issue("producers")):
                error = await refusal(here, request(), own)
                assert error.code == "custody_absent"
            plain = CustodyAddress(url=f"http://{HOST}:{here.port}", call_ms_max=2_000)
            with closing(CustodyLink(plain)) as link, pytest.raises(ApiError):
                await asyncio.to_thread(link.reading_key)
            assert here.environment.records == []
            assert not here.service.seen.seen_at_ms

    run(main)


def test_without_a_record_there_is_no_answer_and_the_process_ends(authority: Authority) -> None:
    async def main() -> None:
        async with served(authority) as here:
            here.environment.unwritable = KafkaWriteUnknownError("nobody knows")
            for raw in (request(), request(account="ops"), b"nothing"):
                assert (await refusal(here, raw)).code == "custody_absent"
            assert [type(error) for error in here.failures] == [KafkaWriteUnknownError] * 3

    run(main)


def test_an_oversized_request_is_refused_before_it_is_read(authority: Authority) -> None:
    async def main() -> None:
        async with served(authority) as here:
            assert (await refusal(here, bytes(REQUEST_BYTES_MAX + 1))).code == "custody_absent"
            assert here.environment.records == []

    run(main)


def saying(status: str, body: bytes) -> Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(1 << 16)
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)

    return serve


LIES = {
    "no JSON": ("200 OK", b"hello"),
    "no object": ("200 OK", b"[]"),
    "a number": ("200 OK", b'{"box":1,"failed":[],"public_key":1}'),
    "no base64": ("200 OK", b'{"box":"\xc3\xa9","failed":[]}'),
    "a code of nobody's": ("403 Forbidden", b'{"code":"halted","detail":"stop"}'),
    "half a problem": ("403 Forbidden", b'{"code":"access_refused"}'),
    "another place": ("307 Go", b"{}"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_server_that_is_not_custody_counts_as_absent(name: str) -> None:
    with closing(Listener(saying(*LIES[name]))) as listener:
        address = CustodyAddress(url=f"http://{HOST}:{listener.port}", call_ms_max=2_000)
        with closing(CustodyLink(address)) as link:
            for call in (link.reading_key, lambda: link.read_secret("")):
                with pytest.raises(ApiError) as caught:
                    call()
                assert caught.value.code == "custody_absent"


def test_a_long_refusal_is_truncated() -> None:
    body = json.dumps({"code": "access_refused", "detail": "x" * 9_999}).encode()
    with closing(Listener(saying("403 Forbidden", body))) as listener:
        address = CustodyAddress(url=f"http://{HOST}:{listener.port}", call_ms_max=2_000)
        with closing(CustodyLink(address)) as link, pytest.raises(ApiError) as caught:
            link.read_secret("")
        assert len(str(caught.value)) == 2_000

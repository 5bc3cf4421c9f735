"""Evidence service: rate limit, nonces, and its endpoint on the monitor port."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession

from signer.attestation.attestor import Attestor, BoundClaims, EvidenceSource
from signer.attestation.device.platform import PlatformBusyError, PlatformUnavailableError
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.evidence import Evidence, EvidenceFile
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from sixgate.api import ApiError, Json
from sixgate.attesting.evidence_service import PATH, PAUSE_MS_MIN, EvidenceService
from sixgate.cli.failures import API_CODES
from sixgate.services.attestation_client import fetch
from sixgate.services.attestation_page import attestation_page
from sixgate.services.monitor import BODY_BYTES_MAX, Monitor, serving
from sixgate.services.probe import Address
from tests.harness.builders.attestation import crl, platform
from tools.local.ports import free_port

IDENTITY = Ed25519Signer("signer-0", b"\x21" * 32)
BOUND = BoundClaims("acme", "0x" + "03" * 32, "0x" + "04" * 32)
NONCE = "0x" + "0a" * 32
HOST = "127.0.0.1"


@dataclass
class Machine:
    """A platform that counts requests, and waits or fails on demand."""

    count: int = 0
    failure: Exception | None = None
    wait: Callable[[], Any] = lambda: None

    def evidence(self, binding: Binding) -> Evidence:
        self.count += 1
        self.wait()
        if self.failure:
            raise self.failure
        chip = platform()
        return Evidence(chip.collect(binding).report, chip.certificates, crl())


@dataclass
class Time:
    ms: int = 1_000

    def now_ms(self) -> int:
        return self.ms


def opened(machine: Machine, time: Time, *, started: bool = True) -> EvidenceService:
    source = EvidenceSource(machine.evidence, simulated=True)
    attestor = Attestor(IDENTITY, source, BOUND, lambda: 0, secrets.token_bytes)
    if started:
        attestor.boot(Registry("0x" + "00" * 32))
        machine.count = 0
    return EvidenceService(attestor, time.now_ms)


def refused(service: EvidenceService, nonce: str = NONCE) -> str:
    with pytest.raises(ApiError) as caught:
        service.attestation(nonce)
    assert caught.value.code in API_CODES
    return caught.value.code


def test_a_nonce_gets_evidence_that_names_it() -> None:
    service = opened(Machine(), Time())
    file = EvidenceFile.decode(
        orjson.dumps(service.attestation(NONCE), option=orjson.OPT_SORT_KEYS)
    )
    assert file.nonce == NONCE


@pytest.mark.parametrize(
    "nonce",
    [
        "",
        "0x",
        "0a" * 31,
        "0a" * 65,
        "0x" + "0a" * 31 + "0",
        "0x" + "zz" * 32,
        " " * 64,
        chr(0x660) * 64,
    ],
)
def test_a_malformed_nonce_requests_no_report(nonce: str) -> None:
    machine, time = Machine(), Time()
    service = opened(machine, time)
    assert refused(service, nonce) == "nonce_malformed"
    assert machine.count == 0
    service.attestation(NONCE)


def test_a_nonce_of_64_bytes_is_not_used_as_report_data() -> None:
    """Anyone who could choose REPORT_DATA could forge bindings."""
    chosen = "ab" * 64
    found = opened(Machine(), Time()).attestation(chosen)
    report = EvidenceFile.model_validate_json(orjson.dumps(found)).evidence().report
    assert bytes.fromhex(chosen) not in report


def test_there_is_one_report_in_two_seconds() -> None:
    machine, time = Machine(), Time()
    service = opened(machine, time)
    service.attestation(NONCE)
    time.ms += PAUSE_MS_MIN - 1
    assert (refused(service), machine.count) == ("attestation_busy", 1)
    time.ms += 1
    service.attestation(NONCE)
    assert machine.count == 2


def test_a_signer_that_has_not_started_gives_no_evidence() -> None:
    machine = Machine()
    assert refused(opened(machine, Time(), started=False)) == "attestation_busy"
    assert machine.count == 0


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (PlatformUnavailableError("the device is gone"), "attestation_failed"),
        (PlatformBusyError("the host throttles reports"), "attestation_busy"),
    ],
)
def test_a_platform_failure_is_reported_and_retried_after_a_pause(
    failure: Exception, code: str
) -> None:
    machine, time = Machine(), Time()
    service = opened(machine, time)
    machine.failure = failure
    assert refused(service) == code
    machine.failure = None
    assert (refused(service), machine.count) == ("attestation_busy", 1)
    time.ms += PAUSE_MS_MIN
    service.attestation(NONCE)


def test_a_second_customer_is_refused_instead_of_queued() -> None:
    begun, go_on = threading.Event(), threading.Event()
    machine = Machine()
    service = opened(machine, Time())

    def wait() -> None:
        begun.set()
        assert go_on.wait(30)

    machine.wait = wait
    first = threading.Thread(target=service.attestation, args=(NONCE,))
    first.start()
    assert begun.wait(30)
    assert refused(service) == "attestation_busy"
    go_on.set()
    first.join()
    assert machine.count == 1


@asynccontextmanager
async def page(service: EvidenceService | None) -> AsyncIterator[int]:
    monitor, port = Monitor("signer", lambda: ()), free_port()
    if service:
        monitor.add_page(attestation_page(service))
    async with serving(monitor, HOST, port):
        yield port


def answered(service: EvidenceService, ask: Callable[[Address], Any]) -> Any:
    async def asked() -> Any:
        async with page(service) as port:
            return await asyncio.to_thread(ask, Address(HOST, port))

    return asyncio.run(asked())


async def post(port: int, body: bytes) -> tuple[ClientResponse, bytes]:
    url = f"http://{HOST}:{port}{PATH}"
    async with ClientSession() as client, client.post(url, data=body) as answer:
        return answer, await answer.read()


def test_the_health_port_hands_out_evidence() -> None:
    service = opened(Machine(), Time())
    found: Json = answered(service, lambda at: fetch(at, NONCE))
    assert found["nonce"] == NONCE


@pytest.mark.parametrize("nonce", ["0x00", "no hex"])
def test_a_refusal_comes_over_the_port_as_it_is(nonce: str) -> None:
    with pytest.raises(ApiError) as caught:
        answered(opened(Machine(), Time()), lambda at: fetch(at, nonce))
    assert caught.value.code == "nonce_malformed"


def test_refusals_are_problems_with_their_status() -> None:
    service = opened(Machine(), Time())

    async def asked() -> list[tuple[int, str, str | None]]:
        found = []
        async with page(service) as port:
            good = b'{"nonce": "%s"}' % NONCE.encode()
            twice = good[:-1] + b", " + good[1:]
            more = good[:-1] + b', "report_data": "0x"}'
            for body in (good, good, b"{}", b"[1]", b'{"nonce": 1}', b"\xff", more, twice):
                answer, raw = await post(port, body)
                code = orjson.loads(raw).get("code", "")
                found.append((answer.status, code, answer.headers.get("Retry-After")))
        return found

    first, second, *others = asyncio.run(asked())
    assert (first, second) == ((200, "", None), (429, "attestation_busy", "2"))
    assert others == [(400, "request_malformed", None)] * 6


def test_a_body_that_is_too_large_is_not_read() -> None:
    machine = Machine()
    service = opened(machine, Time())

    async def asked() -> int:
        async with page(service) as port:
            answer, _ = await post(port, b" " * (BODY_BYTES_MAX + 1))
            return answer.status

    assert (asyncio.run(asked()), machine.count) == (413, 0)


def test_a_process_without_attestation_reports_it() -> None:
    async def asked() -> None:
        async with page(None) as port:
            await asyncio.to_thread(fetch, Address(HOST, port), NONCE)

    with pytest.raises(ApiError) as caught:
        asyncio.run(asked())
    assert caught.value.code == "not_attested"


def test_a_port_without_a_listener_is_reported() -> None:
    with pytest.raises(ApiError) as caught:
        fetch(Address(HOST, free_port()), NONCE)
    assert caught.value.code == "connection_lost"

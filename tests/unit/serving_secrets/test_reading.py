"""Reading a secret in every deployment: decided, recorded, and only then answered."""

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.keys.secret_requests import SecretAnswer, SecretVersion, answer_context
from schemas.registry.custody import CustodyMode
from signer.custody.errors import (
    Cause,
    ClientShareMissingError,
    CustodyError,
    KmsDeniedError,
    KmsUnavailableError,
    ProviderFailure,
    QuorumError,
    SharesMismatchError,
)
from signer.secrets.read_requests import ReadRequestError
from signer.secrets.secret_service import SecretService
from sixgate.api import ApiError
from sixgate.custody.reading import code_of, read, reading_key
from streams.kafka.errors import KafkaWriteUnknownError
from tests.harness.builders.cases import AGENT, MALLORY
from tests.harness.builders.custody_providers import WITH_CLIENT
from tests.harness.builders.secret_vaults import (
    ADDRESS,
    ALL,
    READER,
    VALUE,
    MemoryReadEnvironment,
    order,
    put,
    request,
    secret_service,
)


def asked(
    service: SecretService, raw: bytes, environment: MemoryReadEnvironment
) -> tuple[SecretVersion, ...]:
    box = base64.b64decode(read(environment, service, raw, ADDRESS)["box"])
    name = environment.records[-1]["id"]
    assert name
    (context,) = [answer_context(seen) for seen in service.seen.seen_at_ms]
    return SecretAnswer.decode(bytes(READER.open(box, context))).secrets


def failed(*causes: Cause) -> tuple[ProviderFailure, ...]:
    return tuple(ProviderFailure(f"p{n}", cause) for n, cause in enumerate(causes))


def refused(service: SecretService, raw: bytes, environment: MemoryReadEnvironment) -> str:
    with pytest.raises(ApiError) as caught:
        read(environment, service, raw, ADDRESS)
    return caught.value.code


def test_a_granted_read_is_recorded_and_answered() -> None:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        environment = MemoryReadEnvironment()
        (secret,) = asked(service, request(), environment)
        assert secret.value == f"0x{VALUE.hex()}"
        (record,) = environment.records
        assert (record["type"], record["actor"], record["allowed"]) == (
            "secret.access",
            AGENT,
            True,
        )
        assert (record["client_address"], record["operation"]) == (ADDRESS, "get")
        assert (record["path"], record["version"]) == ("prod/db", 1)
        assert VALUE.hex() not in str(environment.records)


@dataclass(frozen=True)
class Case:
    """A refused request, its error, and its audit record."""

    raw: bytes
    code: str
    record: dict[str, Any]


CASES = {
    "no request": Case(b"{}", "read_refused", {"action": "read.refused", "actor": "custody-0"}),
    "another's signature": Case(
        request(by=MALLORY), "read_refused", {"action": "read.refused", "actor": "custody-0"}
    ),
    "another organisation": Case(
        request(org="other"), "read_refused", {"action": "read.refused", "actor": "custody-0"}
    ),
    "another account": Case(
        request(account="ops"), "access_refused", {"allowed": False, "reason": "vault_foreign"}
    ),
    "what is not there": Case(
        request(path="prod/none"), "secret_unknown", {"allowed": True, "path": "prod/none"}
    ),
    "a signing key": Case(
        request(vault="__agent-keys", path="agents/alice/keys/hot"),
        "access_refused",
        {"allowed": False, "reason": "key_read_blocked"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refused_request_is_recorded_and_gets_the_reason(name: str) -> None:
    case, environment = CASES[name], MemoryReadEnvironment()
    with secret_service("envelope", ALL) as service:
        assert refused(service, case.raw, environment) == case.code
    (record,) = environment.records
    assert record | case.record == record


def test_a_request_serves_once() -> None:
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        environment = MemoryReadEnvironment()
        assert asked(service, request(), environment)
        assert refused(service, request(), environment) == "read_refused"
        assert [record["type"] for record in environment.records] == ["secret.access", "audit"]


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_without_the_clients_share_it_is_refused_and_on_record(mode: CustodyMode) -> None:
    with secret_service(mode, ALL) as service:
        put(service.secret_sealing, order(mode))
        environment = MemoryReadEnvironment()
        assert refused(service, request(), environment) == "custody_failed"
        assert [record["allowed"] for record in environment.records] == [True]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ReadRequestError("late"), "read_refused"),
        (ClientShareMissingError("no share"), "custody_failed"),
        (SharesMismatchError("mixed", failed(Cause.LIED)), "custody_failed"),
        (SharesMismatchError("mixed", failed(Cause.UNAVAILABLE)), "custody_failed"),
        (QuorumError("too few", failed(Cause.DENIED, Cause.CORRUPT)), "custody_failed"),
        (QuorumError("too few", failed(Cause.DENIED, Cause.UNAVAILABLE)), "custody_unavailable"),
        (KmsUnavailableError("down"), "custody_unavailable"),
        (KmsDeniedError("denied"), "custody_failed"),
    ],
)
def test_an_error_says_whether_to_retry(error: CustodyError | ReadRequestError, code: str) -> None:
    assert code_of(error) == code


@pytest.mark.parametrize(
    "raw",
    [request(), request("list"), request("history"), request(path="none"), request(by=MALLORY)],
    ids=["get", "list", "history", "missing", "unproven"],
)
@pytest.mark.parametrize(
    "error", [KafkaWriteUnknownError("lost"), OSError("full")], ids=["bus", "disk"]
)
def test_what_cannot_be_put_on_record_is_not_answered(raw: bytes, error: Exception) -> None:
    """Neither a value nor a refusal: the error ends the process."""
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        environment = MemoryReadEnvironment(unwritable=error)
        with pytest.raises(type(error)):
            read(environment, service, raw, ADDRESS)


def test_two_processes_have_two_reading_keys() -> None:
    with secret_service() as service:
        assert reading_key(service) == {"public_key": f"0x{service.reading_key.public_key.hex()}"}

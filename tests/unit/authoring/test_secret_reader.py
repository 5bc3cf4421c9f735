"""An agent reads secrets and learns which providers failed."""

import base64
from dataclasses import dataclass

import pytest

from signer.secrets.secret_service import SecretService
from sixgate.api import Json
from sixgate.authoring.secret_reader import SecretReader
from sixgate.custody.reading import read, reading_key
from tests.harness.builders.cases import ACCOUNT, ALICE, NOW_MS, ORG
from tests.harness.builders.secret_vaults import (
    ADDRESS,
    ALL,
    VALUE,
    MemoryReadEnvironment,
    order,
    put,
    secret_service,
)


@dataclass
class ServiceWithFailures:
    """A secret service whose answers report some providers as failed."""

    service: SecretService
    failed: tuple[str, ...] = ()

    def reading_key(self) -> Json:
        return reading_key(self.service)

    def read_secret(self, request: str) -> Json:
        answer = read(MemoryReadEnvironment(), self.service, base64.b64decode(request), ADDRESS)
        return answer | {"failed": list(self.failed)}


@pytest.mark.parametrize("failed", [(), ("gcp",), ("gcp", "aws")])
def test_providers_that_failed_are_reported(failed: tuple[str, ...]) -> None:
    reported: list[str] = []
    with secret_service("envelope", ALL) as service:
        put(service.secret_sealing, order("envelope"))
        served = ServiceWithFailures(service, failed)
        reader = SecretReader(served, ORG, ACCOUNT, ALICE, lambda: NOW_MS, reported.extend)
        (found,) = reader.ask("get", "main", "prod/db")
    assert (found.value, tuple(reported)) == (f"0x{VALUE.hex()}", failed)

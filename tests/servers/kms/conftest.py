"""The stand-ins of the clouds' KMSs, for the tests of the contract and of each cloud."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness.broker.servers import watched
from tests.harness.kms.aws import AwsStandIn
from tests.harness.kms.azure import AzureStandIn
from tests.harness.kms.gcp import GcpStandIn
from tests.harness.kms.rigs import AwsRig, AzureRig, GcpRig


@pytest.fixture(scope="session")
def gcp_server() -> Iterator[GcpStandIn]:
    with closing(GcpStandIn()) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStandIn]:
    with closing(AzureStandIn(tmp_path_factory.mktemp("azure"))) as server:
        yield server


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsStandIn]:
    folder = tmp_path_factory.mktemp("aws")
    with watched(folder), closing(AwsStandIn(folder)) as server:
        yield server


@pytest.fixture
def gcp(gcp_server: GcpStandIn) -> GcpRig:
    return GcpRig(gcp_server)


@pytest.fixture
def aws(aws_server: AwsStandIn) -> AwsRig:
    return AwsRig(aws_server)


@pytest.fixture
def azure(azure_server: AzureStandIn) -> AzureRig:
    return AzureRig(azure_server)

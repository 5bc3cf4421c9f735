"""The stand-ins of the three clouds together, each with a key in an HSM."""

from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.kms.aws import REGION, AwsStandIn
from tests.harness.kms.azure import AzureStandIn
from tests.harness.kms.gcp import GcpStandIn


class Peers:
    """Runs all three during the block; ``folder`` has the files that a client needs."""

    def __init__(self, folder: Path) -> None:
        self.gcp = GcpStandIn()
        self.azure = AzureStandIn(folder / "azure")
        self.aws = AwsStandIn(folder / "aws")
        self.gcp_key = self.gcp.add_key("root")
        self.aws_key = self.aws.add_key()
        self.azure_key = self.azure.add_key("root")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stand_in in (self.gcp, self.azure, self.aws):
            stand_in.close()

    def settings(self) -> str:
        """Return their section of a settings file."""
        return (
            f'[kms.gcp]\nkey = "{self.gcp_key}"\nendpoint = "{self.gcp.address}"\n'
            f'[kms.aws]\nkey = "{self.aws_key}"\nendpoint = "{self.aws.address}"\n'
            f'region = "{REGION}"\ncredentials_file = "{self.aws.credentials_file}"\n'
            f'[kms.azure]\nkey = "{self.azure_key}"\ntoken_file = "{self.azure.token_file}"\n'
            f'ca = "{self.azure.ca}"\n'
        )

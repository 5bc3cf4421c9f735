"""KMS factory: builds adapters from settings; each SDK is imported when it is first needed."""

import secrets
from collections.abc import Callable

from signer.custody.kms.port import ProviderKms
from signer.custody.kms.root_file import open_local_kms
from sixgate.clocks import wall_ms
from sixgate.config.kms import AwsSection, AzureSection, GcpSection, KmsSections, LocalSection

Open = Callable[[], ProviderKms]


def providers(settings: KmsSections) -> dict[str, Open]:
    """Return a function to open each KMS that the settings name, in a fixed order.

    Opening raises ``SettingsError`` for invalid settings, and ``CustodyError`` if the KMS fails.
    """
    found: dict[str, Open] = {}
    if gcp := settings.gcp:
        found["gcp"] = lambda: _gcp(gcp)
    if aws := settings.aws:
        found["aws"] = lambda: _aws(aws)
    if azure := settings.azure:
        found["azure"] = lambda: _azure(azure)
    if local := settings.local:
        found["local"] = lambda: _local(local)
    return found


def _gcp(section: GcpSection) -> ProviderKms:
    from signer.custody.kms.gcp import GcpKms  # loads gRPC
    from sixgate.kms.gcp_client import gcp_client

    return GcpKms(gcp_client(section), section.key, section.limits())


def _aws(section: AwsSection) -> ProviderKms:
    from signer.custody.kms.aws import AwsKms  # loads botocore
    from sixgate.kms.aws_client import aws_client

    return AwsKms(aws_client(section), section.key, section.limits())


def _azure(section: AzureSection) -> ProviderKms:
    from signer.custody.kms.azure import AzureKms  # loads azure.core and requests
    from sixgate.kms.azure_client import azure_clients

    return AzureKms(*azure_clients(section), section.key, section.limits(), wall_ms)


def _local(section: LocalSection) -> ProviderKms:
    return open_local_kms(section.root, secrets.token_bytes)

"""Test rigs of the four KMSs under one contract: an adapter and its server."""

import secrets
from abc import ABC, abstractmethod

from google.cloud.kms_v1 import ProtectionLevel

from signer.custody.kms.local import LocalKms
from signer.custody.kms.port import ProviderKms
from sixgate.config.kms import AwsSection, AzureSection, GcpSection, KmsSettings
from sixgate.kms.factory import providers
from tests.harness.kms.aws import REGION, AwsStandIn
from tests.harness.kms.azure import AzureStandIn
from tests.harness.kms.gcp import GcpStandIn

PATIENT_MS, HASTY_MS = 60_000, 150


class LocalRig:
    """The software KMS, which cannot be down, disabled or lost."""

    def __init__(self) -> None:
        self._root, self._other = secrets.token_bytes(32), secrets.token_bytes(32)

    def kms(self) -> ProviderKms:
        return LocalKms(self._root, secrets.token_bytes)

    def other_kms(self) -> ProviderKms:
        return LocalKms(self._other, secrets.token_bytes)


class CloudRig(ABC):
    """A cloud's adapter, opened from settings, with its stand-in; ``key`` is a new key."""

    server: GcpStandIn | AwsStandIn | AzureStandIn
    key: str
    other_key: str
    _kept: ProviderKms | None = None
    call_ms_max = PATIENT_MS  # on a busy machine an answer may take seconds

    def hurry(self) -> None:
        """Set a short timeout for adapters opened later, for servers that never answer."""
        self.call_ms_max = HASTY_MS

    def take_time(self) -> None:
        """Set the long timeout again, which suits a busy machine."""
        self.call_ms_max = PATIENT_MS

    def bounds(self) -> dict[str, int]:
        return {
            "connect_ms_max": self.call_ms_max,
            "call_ms_max": self.call_ms_max,
            "calls_max": 4,
        }

    def kms(self) -> ProviderKms:
        """Open a new adapter, as another process does."""
        return self.at(self.key)

    def kept(self) -> ProviderKms:
        """Return one adapter that stays open: opening AWS's client takes 0.1 s."""
        if self._kept is None:
            assert self.call_ms_max == PATIENT_MS
            self._kept = self.kms()
        return self._kept

    def other_kms(self) -> ProviderKms:
        return self.at(self.other_key)

    def at(self, key: str, port: int | None = None) -> ProviderKms:
        (open_kms,) = providers(self.settings(key, port)).values()
        return open_kms()

    @abstractmethod
    def settings(self, key: str, port: int | None) -> KmsSettings:
        """Return settings for a key; ``port`` replaces the server's."""

    @abstractmethod
    def software_key(self) -> str:
        """Make a key outside an HSM."""


class GcpRig(CloudRig):
    def __init__(self, server: GcpStandIn) -> None:
        self.server = self._gcp = server
        self.key, self.other_key = (server.add_key(secrets.token_hex(4)) for _ in range(2))

    def settings(self, key: str, port: int | None) -> KmsSettings:
        endpoint = f"127.0.0.1:{port}" if port else self.server.address
        return KmsSettings(gcp=GcpSection(key=key, endpoint=endpoint, **self.bounds()))

    def software_key(self) -> str:
        return self._gcp.add_key(secrets.token_hex(4), ProtectionLevel.SOFTWARE)


class AwsRig(CloudRig):
    def __init__(self, server: AwsStandIn) -> None:
        self.server = self._aws = server
        self.key, self.other_key = server.add_key(), server.add_key()

    def settings(self, key: str, port: int | None) -> KmsSettings:
        section = AwsSection(
            key=key,
            endpoint=f"http://127.0.0.1:{port}" if port else self._aws.address,
            region=REGION,
            credentials_file=self._aws.credentials_file,
            **self.bounds(),
        )
        return KmsSettings(aws=section)

    def software_key(self) -> str:
        return self._aws.add_key("EXTERNAL")


class AzureRig(CloudRig):
    def __init__(self, server: AzureStandIn) -> None:
        self.server = self._azure = server
        self.key, self.other_key = (server.add_key(secrets.token_hex(4)) for _ in range(2))

    def settings(self, key: str, port: int | None) -> KmsSettings:
        if port:
            key = key.replace(self._azure.address, f"https://127.0.0.1:{port}")
        token, ca = self._azure.token_file, self._azure.ca
        return KmsSettings(azure=AzureSection(key=key, token_file=token, ca=ca, **self.bounds()))

    def software_key(self) -> str:
        return self._azure.add_key(secrets.token_hex(4), "RSA")

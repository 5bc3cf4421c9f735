"""Key holders of a signer without a KMS: the releases of the current policy, by provider.

Each call uses the current policy: a newer one needs no restart, and an expired one is not used.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from signer.attestation.release.client.kms import ReleasedKms, Transport
from signer.attestation.release.policy import TOKEN_BYTES_MAX, ReleaseHolder, ReleasePolicy
from signer.custody.errors import KmsDeniedError, KmsUnavailableError
from sixgate.config.kms import KmsSettings
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers
from sixgate.releasing.policy_file import LastGood, PolicyFile

RELOAD_MS = 2_000


class CurrentPolicy:
    """Cache of the policy in a file, reloaded every ``RELOAD_MS``. Thread-safe."""

    def __init__(self, file: PolicyFile, now_ms: Callable[[], int]) -> None:
        """Load the policy; raises ``SettingsError``."""
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._policy = LastGood(file.load)
        self._read_at_ms = now_ms()

    def holder(self, provider: str) -> ReleaseHolder:
        """Return the release of a provider; raise ``KmsDeniedError`` if there is none now.

        An unusable file leaves the previous policy in force, until it expires.
        """
        policy = self._current()
        release = policy.holder(provider)
        if release is None or not policy.in_force(self._now_ms()):
            raise KmsDeniedError(
                f"No release policy in force names a release for {provider}: install one that does."
            )
        return release

    def _current(self) -> ReleasePolicy:
        with self._lock:
            # A clock that went back reloads too: the age of the copy is unknown then.
            if not 0 <= self._now_ms() - self._read_at_ms < RELOAD_MS:
                self._read_at_ms = self._now_ms()
                self._policy.reload()
            return self._policy.content


class ReleasedHolder:
    """A ``RootKms`` through the release that the current policy names for a provider.

    Raises ``KmsDeniedError`` if it names none.
    """

    def __init__(
        self,
        provider: str,
        policy: CurrentPolicy,
        transport: Transport,
        make_kms: Callable[[ReleaseHolder, Transport], ReleasedKms],
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._transport = transport
        self._make_kms = make_kms
        self._key_id = policy.holder(provider).kms_key

    @property
    def key_id(self) -> str:
        """The root key's name in the newest policy that named a release for the provider."""
        with suppress(KmsDeniedError):
            self._key_id = self._policy.holder(self._provider).kms_key
        return self._key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as specified by ``RootKms``."""
        return self._current_kms().wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as specified by ``RootKms``."""
        return self._current_kms().unwrap(wrapped, context)

    def _current_kms(self) -> ReleasedKms:
        return self._make_kms(self._policy.holder(self._provider), self._transport)

    def __repr__(self) -> str:
        return f"<ReleasedHolder {self._provider}>"


def refuse_own_kms(kms: KmsSettings) -> None:
    """Raise ``SettingsError`` if a signer with releases has KMS credentials too."""
    sections = [*providers(kms), *(f"former.{name}" for name in providers(kms.former))]
    if kms.secrets is not None:
        sections.append("secrets")
    if sections:
        raise SettingsError(
            "a signer that uses releases must not have KMS credentials: remove "
            f"[kms.{sections[0]}] or [releases] from the settings"
        )


def read_token(file: Path) -> bytearray:
    """Read the workload's current token; raise ``KmsUnavailableError``."""
    try:
        with file.open("rb") as opened:
            return bytearray(opened.read(TOKEN_BYTES_MAX + 1).strip())
    except OSError as error:
        raise KmsUnavailableError(
            f"The workload's token {file} cannot be read: {error.strerror}."
        ) from None

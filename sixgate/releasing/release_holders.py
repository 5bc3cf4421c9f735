"""What a signer has instead of KMSs: the releases that its policy names, by provider.

Each call goes by the policy of now, so a new one counts without a restart, and none after its end.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from signer.attestation.release.kms import ReleasedKms, Transport
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy
from signer.attestation.release.workload_token import TOKEN_BYTES_MAX
from signer.custody.errors import KmsDeniedError, KmsUnavailableError
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers
from sixgate.releasing.policy_file import PolicyFile
from sixgate.settings.kms import KmsSettings

RENEW_MS = 2_000
_LOG = logging.getLogger("sixgate.releasing.releases")


class CurrentPolicy:
    """The policy in a file, read again when it has been kept for a while; any thread may ask."""

    def __init__(self, file: PolicyFile, now_ms: Callable[[], int]) -> None:
        """Take the file's policy; raises ``SettingsError``."""
        self._file = file
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._policy = file.take()
        self._read_at_ms = now_ms()

    def holder(self, provider: str) -> ReleaseHolder:
        """Return the release of a provider; raise ``KmsDeniedError`` where there is none now.

        A file that cannot be taken leaves the policy before in force, until its end.
        """
        policy = self._of_now()
        found = policy.holder(provider)
        if found is None or not policy.in_force(self._now_ms()):
            raise KmsDeniedError(
                f"No release policy in force names a release for {provider}: give the signer one."
            )
        return found

    def _of_now(self) -> ReleasePolicy:
        with self._lock:
            if not 0 <= self._now_ms() - self._read_at_ms < RENEW_MS:
                self._read_at_ms = self._now_ms()
                try:
                    self._policy = self._file.take()
                except SettingsError as error:
                    _LOG.warning("release.file_rejected", extra={"detail": str(error)})
            return self._policy


class ReleasedHolder:
    """A ``RootKms`` by whichever release the policy of now names for a provider.

    Raise ``KmsDeniedError`` where it names none.
    """

    def __init__(
        self,
        provider: str,
        policy: CurrentPolicy,
        transport: Transport,
        made: Callable[[ReleaseHolder, Transport], ReleasedKms],
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._transport = transport
        self._made = made
        self._key_id = policy.holder(provider).kms_key

    @property
    def key_id(self) -> str:
        """The root key's name, as the newest policy that named one has it."""
        with suppress(KmsDeniedError):
            self._key_id = self._policy.holder(self._provider).kms_key
        return self._key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises."""
        return self._now().wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises."""
        return self._now().unwrap(wrapped, context)

    def _now(self) -> ReleasedKms:
        return self._made(self._policy.holder(self._provider), self._transport)

    def __repr__(self) -> str:
        return f"<ReleasedHolder {self._provider}>"


def refuse_own_kms(kms: KmsSettings) -> None:
    """Raise ``SettingsError`` for a signer that goes through releases and has KMSs of its own."""
    named = [*providers(kms), *(f"former.{name}" for name in providers(kms.former))]
    if kms.secrets is not None:
        named.append("secrets")
    if named:
        raise SettingsError(
            "a signer that goes through releases has no KMS credentials of its own, and the "
            f"settings name [kms.{named[0]}]: take it out, or take out [releases]"
        )


def read_token(file: Path) -> bytearray:
    """Read the workload's token of now; raise ``KmsUnavailableError``."""
    try:
        with file.open("rb") as opened:
            return bytearray(opened.read(TOKEN_BYTES_MAX + 1).strip())
    except OSError as error:
        raise KmsUnavailableError(
            f"The workload's token {file} cannot be read: {error.strerror}."
        ) from None

"""HSM guard: refuses to wrap or unwrap with a key that is not in an HSM."""

from signer.custody.errors import KmsKeyWeakError
from signer.custody.kms.port import KeyStatus, ProtectionLevel, ProviderKms


class HsmGuardedKms:
    """A ``ProviderKms`` that checks once that its key is in an HSM, and refuses other keys.

    It checks on first use, so that a provider that is down does not block the start of a process.
    """

    __slots__ = ("_checked", "_kms")

    def __init__(self, kms: ProviderKms) -> None:
        self._kms = kms
        self._checked = False

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._kms.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises; raise ``KmsKeyWeakError``."""
        self._require_hsm_once()
        return self._kms.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises; raise ``KmsKeyWeakError``."""
        self._require_hsm_once()
        return self._kms.unwrap(wrapped, context)

    def check(self) -> KeyStatus:
        """Return the key's state and protection level as ``ProviderKms`` promises."""
        return self._kms.check()

    def _require_hsm_once(self) -> None:
        if not self._checked:
            require_hsm(self.key_id, self.check())
            self._checked = True

    def __repr__(self) -> str:
        return f"<GuardedKms {self.key_id}>"


def require_hsm(key_id: str, status: KeyStatus) -> None:
    """Raise ``KmsKeyWeakError`` for a key that is not in an HSM."""
    if status.protection is not ProtectionLevel.HSM:
        raise KmsKeyWeakError(
            f"{key_id} is protected by software, not by an HSM: use a key in an HSM, or set "
            "insecure_dev = true in [kms]."
        )

"""A KMS whose key an HSM must guard: nothing is wrapped or unwrapped before that is proven."""

from signer.custody.errors import KmsKeyWeakError
from signer.custody.kms.port import KeyStatus, ProtectionLevel, ProviderKms


class HsmGuardedKms:
    """A ``ProviderKms`` that asks once what guards its key, and refuses a key that no HSM does.

    It asks when it is first used, so that a provider that is down keeps no process from starting.
    """

    __slots__ = ("_kms", "_proven")

    def __init__(self, kms: ProviderKms) -> None:
        self._kms = kms
        self._proven = False

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._kms.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises; raise ``KmsKeyWeakError``."""
        self._prove()
        return self._kms.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises; raise ``KmsKeyWeakError``."""
        self._prove()
        return self._kms.unwrap(wrapped, context)

    def check(self) -> KeyStatus:
        """Tell the key's state and level as ``ProviderKms`` promises."""
        return self._kms.check()

    def _prove(self) -> None:
        if not self._proven:
            require_hsm(self.key_id, self.check())
            self._proven = True

    def __repr__(self) -> str:
        return f"<GuardedKms {self.key_id}>"


def require_hsm(key_id: str, status: KeyStatus) -> None:
    """Raise ``KmsKeyWeakError`` for a key that no HSM guards."""
    if status.protection is not ProtectionLevel.HSM:
        raise KmsKeyWeakError(
            f"{key_id} is guarded by software and not by an HSM: name a key that is, or set "
            "insecure_dev = true in [kms]."
        )

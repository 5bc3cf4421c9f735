"""What can go wrong in custody: one small tree, whatever cloud or library failed below it.

No message carries key material, plaintext, or the text of a foreign exception.
"""

from signer.custody.failures import ProviderFailure


class CustodyError(Exception):
    """Anything custody refuses or cannot do; the root of this tree."""


class KmsUnavailableError(CustodyError):
    """The KMS gave no answer in time, or is throttling; the same call may succeed later."""


class KmsDeniedError(CustodyError):
    """The KMS answered that this caller may not use this key."""


class KmsKeyDisabledError(CustodyError):
    """The KMS key exists but is disabled, destroyed or waiting to be; nothing under it opens."""


class KmsKeyNotFoundError(CustodyError):
    """The KMS has no key of that name, or the blob was wrapped by another key than this one."""


class KmsKeyWeakError(CustodyError):
    """The KMS key is guarded by less than the settings demand."""


class CorruptError(CustodyError):
    """Bytes that fail their proof: changed, cut short, moved elsewhere, or of another key."""


class SharesMismatchError(CorruptError):
    """Shares that do not belong together: of another secret or version, changed, or mixed.

    ``failures`` has what else is known of the providers that were asked.
    """

    def __init__(self, sentence: str, failures: tuple[ProviderFailure, ...] = ()) -> None:
        super().__init__(sentence)
        self.failures = failures


class QuorumError(CustodyError):
    """Too few providers gave their share; ``failures`` says which did not, and why."""

    def __init__(self, sentence: str, failures: tuple[ProviderFailure, ...]) -> None:
        super().__init__(sentence)
        self.failures = failures


class ClientShareMissingError(CustodyError):
    """The mode of the vault wants the client's share, and none came."""


class RecoveryRefusedError(CustodyError):
    """A secret is not recovered: the mode has no recovery, or no valid order asks for this one."""


class CmekRefusedError(CustodyError):
    """A value without the customer's own layer, or under a key that is not enrolled."""


class HandleClosedError(CustodyError):
    """A key handle was used after it was closed."""


class SigningNotOfferedError(CustodyError):
    """A key was asked to sign that only holds an address."""


class PrivateFileError(CustodyError):
    """A file with a secret is missing or not private enough; whoever reads it names it."""

    def __init__(self, problem: str, advice: str) -> None:
        """Say what is wrong with the file, and what to do."""
        super().__init__(f"{problem}; {advice}")
        self.problem = problem
        self.advice = advice


class RootFileError(CustodyError):
    """The file of a software root key is missing, open to others, or not a root key."""


class RandomnessError(CustodyError):
    """The source of randomness broke its contract; nothing it gave may become a key."""


class SecretSizeError(CustodyError):
    """A secret is larger than an envelope holds."""

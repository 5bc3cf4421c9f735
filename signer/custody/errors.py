"""Exceptions of custody: one small tree that hides which cloud or library failed.

No message contains key material, plaintext, or the text of a foreign exception.
"""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a provider returned no usable share."""

    UNAVAILABLE = "unavailable"
    DENIED = "denied"
    KEY_DISABLED = "key_disabled"
    KEY_NOT_FOUND = "key_not_found"
    KEY_WEAK = "key_weak"  # not in an HSM, although the settings require one
    CORRUPT = "corrupt"  # the provider says so, or its answer is not a share
    LIED = "lied"  # it returned a share that the other shares prove wrong
    NOT_CONFIGURED = "not_configured"
    FAULT = "fault"  # its adapter broke its contract and raised another exception


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """A provider's name, and why it failed."""

    provider: str
    cause: Cause


class CustodyError(Exception):
    """The base class: custody refused or failed."""


class KmsUnavailableError(CustodyError):
    """The KMS did not answer in time, or throttles this caller; a retry may succeed."""


class KmsDeniedError(CustodyError):
    """The KMS denied this caller the use of this key."""


class KmsKeyDisabledError(CustodyError):
    """The KMS key is disabled, destroyed or scheduled for destruction; nothing under it opens."""


class KmsKeyNotFoundError(CustodyError):
    """The KMS has no such key, or the blob was wrapped by another key."""


class KmsKeyWeakError(CustodyError):
    """The KMS key has a lower protection level than the settings require."""


class CorruptError(CustodyError):
    """Bytes that fail authentication: modified, truncated, moved, or of another key."""


class SharesMismatchError(CorruptError):
    """Shares that do not belong together: of another secret or version, modified, or mixed.

    ``failures`` lists the providers that failed besides.
    """

    def __init__(self, sentence: str, failures: tuple[ProviderFailure, ...] = ()) -> None:
        super().__init__(sentence)
        self.failures = failures


class QuorumError(CustodyError):
    """Too few providers returned their share; ``failures`` says which ones failed, and why."""

    def __init__(self, sentence: str, failures: tuple[ProviderFailure, ...]) -> None:
        super().__init__(sentence)
        self.failures = failures


class ClientShareMissingError(CustodyError):
    """The vault's mode needs a client share, and a usable one is missing."""


class RecoveryRefusedError(CustodyError):
    """A recovery is refused: the mode has no recovery, or no valid order names this version."""


class CmekRefusedError(CustodyError):
    """A value without a customer layer, or under a customer key that is not enrolled."""


class ImmutableKeyError(CustodyError):
    """A key came in an object that cannot be wiped, such as bytes."""


class HandleClosedError(CustodyError):
    """A key handle was used after it was closed."""


class SigningNotOfferedError(CustodyError):
    """A key that only has an address was asked to sign."""


class PrivateFileError(CustodyError):
    """A file with a secret is missing or not private; the caller adds the file's name."""

    def __init__(self, problem: str, advice: str) -> None:
        """Take the problem with the file, and the advice how to fix it."""
        super().__init__(f"{problem}; {advice}")
        self.problem = problem
        self.advice = advice


class RootFileError(CustodyError):
    """The file of a software root key is missing, accessible to others, or not a root key."""


class RandomnessError(CustodyError):
    """The source of randomness broke its contract; its output must not become a key."""


class SecretSizeError(CustodyError):
    """A secret exceeds the size limit of an envelope."""

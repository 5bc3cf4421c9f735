"""What can go wrong in custody: one small tree, whatever cloud or library failed below it.

No message carries key material, plaintext, or the text of a foreign exception.
"""


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


class CorruptError(CustodyError):
    """Bytes that fail their proof: changed, cut short, moved elsewhere, or of another key."""


class HandleClosedError(CustodyError):
    """A key handle was used after it was closed."""


class RootFileError(CustodyError):
    """The file of a software root key is missing, open to others, or not a root key."""


class RandomnessError(CustodyError):
    """The source of randomness broke its contract; nothing it gave may become a key."""


class SecretSizeError(CustodyError):
    """A secret is larger than an envelope holds."""

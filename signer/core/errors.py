"""The errors of the signing core, except those of typed data, which stand beside their codes."""


class CoreError(Exception):
    """Base of all errors of ``signer.core``. No message carries key material."""


class InvalidSignatureError(CoreError):
    """The Ed25519 signature is not valid for these bytes and this key."""


class UnknownAgentError(CoreError):
    """The intent names an unknown agent, or an agent of another account."""


class RegistryRecordError(CoreError):
    """The record does not continue the registry, which is unchanged."""


class RegistryEntryError(RegistryRecordError):
    """The entry is not possible after the earlier ones; nothing has changed."""


class EthereumError(CoreError):
    """Base of errors about an address, a transaction, a signature or typed data.

    ``location`` names the field (``access_list[1].storage_keys[0]``) or the character
    (``character 7``, counted from 1).
    """

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(f"{location} {reason}")
        self.location = location
        self.reason = reason


class AddressError(EthereumError):
    """The input is not exactly one Ethereum address or one public key."""


class TransactionEncodingError(EthereumError):
    """A value has a wrong type or no canonical encoding."""


class TransactionDecodingError(EthereumError):
    """The bytes are not the canonical encoding of a known transaction, or of another chain's."""


class InvalidTransactionError(EthereumError):
    """The transaction breaks a rule of the protocol and must not be signed."""


class SignatureError(EthereumError):
    """Ethereum would not accept the signature, or it recovers to no key."""


class SenderMismatchError(EthereumError):
    """A new signature recovers to another address than the key's."""

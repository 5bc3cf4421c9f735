"""Errors of addresses, transactions and signatures."""


class EthereumError(Exception):
    """Base of errors about an address, a transaction or a signature.

    ``location`` names the field (``access_list[1].storage_keys[0]``) or the character
    (``character 7``, counted from 1). No message carries key material.
    """

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(f"{location} {reason}")
        self.location = location
        self.reason = reason


class AddressError(EthereumError):
    """The input is not exactly one Ethereum address or one public key."""


class TransactionEncodingError(EthereumError):
    """A field value has no canonical encoding."""


class TransactionDecodingError(EthereumError):
    """The bytes are not the canonical encoding of a known transaction."""


class SignatureError(EthereumError):
    """Ethereum would not accept the signature, or it recovers to no key."""


class SenderMismatchError(EthereumError):
    """A new signature recovers to another address than the key's."""

class EthereumError(Exception):
    """Say what in an address, a transaction or a signature is wrong, and where.

    ``place`` names the field (``access_list[1].storage_keys[0]``) or the character
    (``character 7``, counted from 1). No message carries key material.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place} {reason}")
        self.place = place
        self.reason = reason


class AddressError(EthereumError):
    """Refuse what is not exactly one Ethereum address or one public key."""


class TransactionEncodingError(EthereumError):
    """Refuse a field value that has no canonical encoding."""


class TransactionDecodingError(EthereumError):
    """Refuse bytes that are not the canonical encoding of a known transaction."""


class SignatureError(EthereumError):
    """Refuse a signature that Ethereum would not accept, or that no key can have made."""


class SenderMismatchError(EthereumError):
    """Report that a signature just made recovers to another address than the key's own."""

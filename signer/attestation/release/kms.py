"""A root key that only an attested signer can use: the port of a KMS, served by a release.

The signer has no credentials of any KMS. Whatever custody wraps, and unwraps to prove what it has
wrapped, goes this way, each call under a nonce and a report of its own.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

from schemas.canonical import MalformedError
from schemas.release import Context, ReleaseReason, decode_context
from signer.attestation.binding import NONCE_BYTES_MAX, NONCE_BYTES_MIN, Binding
from signer.attestation.platform import CollectionError
from signer.attestation.release.client import (
    Asking,
    Exchange,
    ReleaseDeniedError,
    UntrustedAnswerError,
    Unwrapping,
    Wanted,
    Wrapping,
)
from signer.attestation.release.policy import ReleaseHolder
from signer.attestation.verify import Evidence
from signer.custody.buffers import RandomBytes, wipe
from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX, require_wrappable, require_wrapped

# A refusal that another nonce, or time, may mend; all that is not listed stays a denial.
_KINDS: dict[ReleaseReason, type[CustodyError]] = {
    ReleaseReason.NONCE_UNKNOWN: KmsUnavailableError,
    ReleaseReason.NONCE_EXPIRED: KmsUnavailableError,
    ReleaseReason.NONCES_EXHAUSTED: KmsUnavailableError,
    ReleaseReason.KMS_UNAVAILABLE: KmsUnavailableError,
    ReleaseReason.INTERNAL_ERROR: KmsUnavailableError,
    ReleaseReason.KMS_KEY_DISABLED: KmsKeyDisabledError,
    ReleaseReason.KMS_KEY_NOT_FOUND: KmsKeyNotFoundError,
    ReleaseReason.KMS_CORRUPT: CorruptError,
}

Attest = Callable[[Binding], Evidence]
"""Asks the platform for a report on a binding, and adds certificates and revocation list.

Called from every thread that wraps or unwraps; raises ``CollectionError``."""


class ReleaseUnreachableError(Exception):
    """The release gave no answer in time."""


class Transport(Protocol):
    """How one release is reached; bounded in time, and never retried by itself."""

    def nonce(self) -> bytes:
        """Return a nonce of the release's; raise ``ReleaseUnreachableError``."""
        ...

    def send(self, request: bytes) -> bytes:
        """Return the answer to a request; raise ``ReleaseUnreachableError``."""
        ...


class ReleasedKms:
    """A ``RootKms`` behind a release; ``read_token`` gives the workload's token of now."""

    def __init__(
        self,
        holder: ReleaseHolder,
        asking: Asking,
        transport: Transport,
        attest: Attest,
        read_token: Callable[[], bytes | bytearray],
        random_bytes: RandomBytes,
    ) -> None:
        self._holder = holder
        self._asking = asking
        self._transport = transport
        self._attest = attest
        self._read_token = read_token
        self._random_bytes = random_bytes

    @property
    def key_id(self) -> str:
        """The root key's name, as the policy has it."""
        return self._holder.kms_key

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises; the plaintext travels sealed for the release."""
        require_wrappable(plaintext)
        blob = bytes(self._asked(Wrapping(plaintext, _place(context))))
        require_wrapped(blob)
        return blob

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises; what comes back was sealed for this exchange's key."""
        require_wrapped(wrapped)
        content = self._asked(Unwrapping(wrapped, _place(context)))
        if not 0 < len(content) <= PLAINTEXT_BYTES_MAX:
            wipe(content)
            raise CorruptError("A release unwrapped to something that nobody wraps.")
        return content

    def _asked(self, wanted: Wanted) -> bytearray:
        name = self._holder.provider
        try:
            return self._exchanged(wanted)
        except ReleaseUnreachableError:
            raise KmsUnavailableError(f"The release of {name} gave no answer in time.") from None
        except CollectionError:
            told = f"The platform gave no report for the release of {name}: look at its device."
            raise KmsUnavailableError(told) from None
        except ReleaseDeniedError as denied:
            raise _KINDS.get(denied.reason, KmsDeniedError)(str(denied)) from None
        except UntrustedAnswerError as error:
            raise CorruptError(str(error)) from None

    def _exchanged(self, wanted: Wanted) -> bytearray:
        nonce = self._transport.nonce()
        if not NONCE_BYTES_MIN <= len(nonce) <= NONCE_BYTES_MAX:
            raise ReleaseUnreachableError
        token = bytearray(self._read_token())
        try:
            exchange = Exchange(
                self._holder, self._asking, nonce, (wanted,), token, self._random_bytes
            )
        finally:
            wipe(token)
        with exchange:
            request = exchange.request(self._attest(exchange.binding))
            (result,) = exchange.open(self._transport.send(request))
            return result

    def __repr__(self) -> str:
        return f"<ReleasedKms {self._holder.kms_key} by the release of {self._holder.provider}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ReleasedKms cannot be copied or pickled: it holds a secret key.")


def _place(context: bytes) -> Context:
    try:
        return decode_context(context)
    except MalformedError:
        raise KmsDeniedError(
            "A release serves the keys of vaults, shares and identities."
        ) from None

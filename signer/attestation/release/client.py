"""The signer's side of a release: one exchange, with an ephemeral key that lives no longer.

Ask, bind, send, open. What comes back is believed only under the signature of the release that the
policy names for the provider, and opens only in this exchange.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Self, TypeAlias

from schemas.canonical import MalformedError
from schemas.release import (
    RELEASE_MEANING,
    Context,
    Operation,
    ReleaseAsk,
    ReleaseReason,
    ReleaseRefused,
    Unwrap,
    Wrap,
    decode_decision,
    request_digest,
)
from signer.attestation.binding import Binding, Purpose
from signer.attestation.evidence import Claims, evidence_file
from signer.attestation.release.policy import ReleaseHolder
from signer.attestation.release.request import (
    ReleaseRequest,
    answer_box_info,
    ask_box_info,
    join_frames,
    split_frames,
)
from signer.attestation.verify import Evidence
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.errors import CorruptError
from signer.custody.hpke import HpkeKey, seal
from signer.signatures import InvalidSignatureError, verify_event


class UntrustedAnswerError(Exception):
    """An answer that is not the release's to this request: forged, changed, or another's."""


class ReleaseDeniedError(Exception):
    """The release refused; the reason is a code, with the code of what failed."""

    def __init__(self, provider: str, reason: ReleaseReason, code: str | None) -> None:
        shown = f"{reason} ({code})" if code else str(reason)
        super().__init__(f"The release of {provider} refused: {shown}. {RELEASE_MEANING[reason]}")
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: the organisation, the signer's name, its boot and configuration (0x hex)."""

    org: str
    signer: str
    boot: str
    configuration: str


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A key to be wrapped, 1 to 64 bytes; the caller wipes it."""

    content: bytes | bytearray = field(repr=False)
    context: Context


@dataclass(frozen=True, slots=True)
class Unwrapping:
    """A blob to be unwrapped."""

    blob: bytes = field(repr=False)
    context: Context


Wanted: TypeAlias = Wrapping | Unwrapping


class Exchange:
    """One ask of one release, from its nonce to its answer; closing it drops the ephemeral key."""

    def __init__(
        self,
        holder: ReleaseHolder,
        asking: Asking,
        nonce: bytes,
        wanted: Sequence[Wanted],
        token: bytes | bytearray,
        random_bytes: RandomBytes,
    ) -> None:
        """Seal token and contents for the release; ``ValueError`` for a nonce that is none."""
        self._holder = holder
        self._nonce = nonce
        self._key = HpkeKey.generate(random_bytes)
        operations = tuple(map(_operation, wanted))
        ephemeral_key = f"0x{hashlib.sha256(self._key.spki).hexdigest()}"
        info = ask_box_info(asking.org, holder.provider, nonce, ephemeral_key, operations)
        contents = [one.content for one in wanted if isinstance(one, Wrapping)]
        with wiping(join_frames([token, *contents])) as joined:
            box = seal(bytes.fromhex(holder.sealing_key[2:]), joined, info)
        self._ask = ReleaseAsk(
            org=asking.org,
            provider=holder.provider,
            signer=asking.signer,
            boot=asking.boot,
            operations=operations,
            box=base64.b64encode(box).decode(),
        )
        self._claims = Claims(
            ephemeral_key=base64.b64encode(self._key.spki).decode(),
            key_set=self._ask.digest(),
            configuration=asking.configuration,
        )
        self._sent = ""
        self.binding = Binding(
            Purpose.KEY_RELEASE,
            nonce,
            hashlib.sha256(self._key.spki).digest(),
            bytes.fromhex(self._claims.key_set[2:]),
            bytes.fromhex(asking.configuration[2:]),
        )

    def request(self, evidence: Evidence) -> bytes:
        """Return what is sent: the ask, with evidence that binds ``binding``."""
        file = evidence_file(evidence, self._nonce, self._claims)
        raw = ReleaseRequest(ask=self._ask, evidence=file).encode()
        self._sent = request_digest(raw)
        return raw

    def open(self, answer: bytes) -> list[bytearray]:
        """Return one result for each thing that was wanted, in buffers that the caller wipes.

        Raise ``ReleaseDeniedError`` for a refusal, ``UntrustedAnswerError`` for anything that is
        not this release's answer to this request.
        """
        try:
            decision = decode_decision(answer)
            verify_event(decision, self._holder.signing_key)
        except (MalformedError, InvalidSignatureError):
            raise _untrusted(self._holder) from None
        if (decision.request, decision.provider) != (self._sent, self._ask.provider):
            raise _untrusted(self._holder)
        if isinstance(decision, ReleaseRefused):
            raise ReleaseDeniedError(self._ask.provider, decision.reason, decision.code)
        return self._unsealed(decision.sealed)

    def close(self) -> None:
        """Drop the ephemeral key: no answer opens any more."""
        self._key.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Exchange with the release of {self._holder.provider}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An Exchange cannot be copied or pickled: it holds a secret key.")

    def _unsealed(self, sealed: str) -> list[bytearray]:
        info = answer_box_info(self._sent, self._claims.key_set, self._ask.provider, self._nonce)
        try:
            with wiping(self._key.open(base64.b64decode(sealed), info)) as joined:
                return split_frames(joined, len(self._ask.operations))
        except CorruptError:
            raise _untrusted(self._holder) from None


def _operation(wanted: Wanted) -> Operation:
    if isinstance(wanted, Wrapping):
        return Wrap(context=wanted.context)
    return Unwrap(context=wanted.context, blob=base64.b64encode(wanted.blob).decode())


def _untrusted(holder: ReleaseHolder) -> UntrustedAnswerError:
    return UntrustedAnswerError(
        f"What came is not the answer of {holder.release} to this request: it was forged, changed, "
        "or is another's."
    )

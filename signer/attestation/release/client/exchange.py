"""Client of a release: one exchange with its own ephemeral key.

1. Generate the ephemeral key; seal token and plaintexts to the release.
2. Bind nonce, ephemeral key and ask in a report, and send both.
3. Verify that the release named by the policy signed the answer, and that it answers this request.
4. Open the results with the ephemeral key, then erase it.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Self, TypeAlias

from schemas.canonical import MalformedError
from schemas.keys.release import (
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
from signer.attestation.release.policy import ReleaseHolder
from signer.attestation.release.request import (
    ReleaseRequest,
    answer_box_info,
    ask_box_info,
    join_frames,
    split_frames,
)
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.errors import AttestationError
from signer.attestation.verify.evidence import Claims, Evidence, evidence_file
from signer.core.errors import InvalidSignatureError
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.errors import CorruptError
from signer.custody.event_signing import verify_event
from signer.custody.hpke import HpkeKey, seal


class UntrustedAnswerError(AttestationError):
    """The answer is not the release's answer to this request: forged, changed or replayed."""


class ReleaseDeniedError(AttestationError):
    """The release refused: a reason, and the code of the failed check of evidence or token."""

    def __init__(self, provider: str, reason: ReleaseReason, code: str | None) -> None:
        shown = f"{reason} ({code})" if code else str(reason)
        super().__init__(f"The release of {provider} refused: {shown}. {RELEASE_MEANING[reason]}")
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Requester:
    """The requester: organisation, signer's name, its boot and configuration digest (0x hex)."""

    org: str
    signer: str
    boot: str
    configuration: str


@dataclass(frozen=True, slots=True)
class WrapRequest:
    """A request to wrap a key of 1 to 64 bytes; the caller wipes it."""

    content: bytes | bytearray = field(repr=False)
    context: Context


@dataclass(frozen=True, slots=True)
class UnwrapRequest:
    """A request to unwrap a blob."""

    blob: bytes = field(repr=False)
    context: Context


KmsRequest: TypeAlias = WrapRequest | UnwrapRequest


class Exchange:
    """One exchange with one release, from nonce to answer; ``close`` erases the ephemeral key."""

    def __init__(
        self,
        holder: ReleaseHolder,
        requester: Requester,
        nonce: bytes,
        requests: Sequence[KmsRequest],
        token: bytes | bytearray,
        random_bytes: RandomBytes,
    ) -> None:
        """Seal token and plaintexts to the release; raise ``ValueError`` for an invalid nonce."""
        # 1. The box is bound to this nonce and ephemeral key, so it is useless in another request.
        self._holder = holder
        self._nonce = nonce
        self._key = HpkeKey.generate(random_bytes)
        operations = tuple(map(_operation, requests))
        ephemeral_key = f"0x{hashlib.sha256(self._key.spki).hexdigest()}"
        info = ask_box_info(requester.org, holder.provider, nonce, ephemeral_key, operations)
        contents = [one.content for one in requests if isinstance(one, WrapRequest)]
        with wiping(join_frames([token, *contents])) as joined:
            box = seal(bytes.fromhex(holder.sealing_key[2:]), joined, info)
        self._ask = ReleaseAsk(
            org=requester.org,
            provider=holder.provider,
            signer=requester.signer,
            boot=requester.boot,
            operations=operations,
            box=base64.b64encode(box).decode(),
        )
        # 2. The digest of the ask takes the place of the key set, so the report binds the ask.
        self._claims = Claims(
            ephemeral_key=base64.b64encode(self._key.spki).decode(),
            key_set=self._ask.digest(),
            configuration=requester.configuration,
        )
        self._request_digest = ""
        self.binding = Binding(
            Purpose.KEY_RELEASE,
            nonce,
            hashlib.sha256(self._key.spki).digest(),
            bytes.fromhex(self._claims.key_set[2:]),
            bytes.fromhex(requester.configuration[2:]),
        )

    def request(self, evidence: Evidence) -> bytes:
        """Encode the request: the ask, and evidence whose report has the binding ``binding``."""
        file = evidence_file(evidence, self._nonce, self._claims)
        raw = ReleaseRequest(ask=self._ask, evidence=file).encode()
        self._request_digest = request_digest(raw)
        return raw

    def open(self, answer: bytes) -> list[bytearray]:
        """Verify and open an answer: one result per operation, in buffers that the caller wipes.

        Raise ``ReleaseDeniedError`` for a refusal, ``UntrustedAnswerError`` for anything except
        this release's answer to this request.
        """
        # 3. HPKE base mode does not authenticate the sender: only the signature does.
        try:
            decision = decode_decision(answer)
            verify_event(decision, self._holder.signing_key)
        except (MalformedError, InvalidSignatureError):
            raise _untrusted(self._holder) from None
        if (decision.request, decision.provider) != (self._request_digest, self._ask.provider):
            raise _untrusted(self._holder)
        if isinstance(decision, ReleaseRefused):
            raise ReleaseDeniedError(self._ask.provider, decision.reason, decision.code)
        # 4. The box is bound to the request, so another request's results do not open.
        return self._unseal(decision.sealed)

    def close(self) -> None:
        """Erase the ephemeral key: no answer can be opened afterwards."""
        self._key.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Exchange with the release of {self._holder.provider}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An Exchange cannot be copied or pickled: it holds a secret key.")

    def _unseal(self, sealed: str) -> list[bytearray]:
        info = answer_box_info(
            self._request_digest, self._claims.key_set, self._ask.provider, self._nonce
        )
        try:
            with wiping(self._key.open(base64.b64decode(sealed), info)) as joined:
                return split_frames(joined, len(self._ask.operations))
        except CorruptError:
            raise _untrusted(self._holder) from None


def _operation(request: KmsRequest) -> Operation:
    if isinstance(request, WrapRequest):
        return Wrap(context=request.context)
    return Unwrap(context=request.context, blob=base64.b64encode(request.blob).decode())


def _untrusted(holder: ReleaseHolder) -> UntrustedAnswerError:
    return UntrustedAnswerError(
        f"The response is not the answer of {holder.release} to this request: it was forged or "
        "changed, or answers another request."
    )

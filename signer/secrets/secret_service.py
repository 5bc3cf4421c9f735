"""Secret service: agents read secrets that are not signing keys; verify, decide, open, seal.

1. ``verify``: the request is canonical, fresh, not a replay, and signed by the agent it names.
2. ``authorize``: ``signer.keys.access`` decides. Nothing is opened yet, and a refused agent
   learns only the reason.
3. ``serve``: opens what may be read, and seals the answer to the key in the signed request. This
   step reads only immutable versions, so it may run beside updates, however long holders take.

A crash loses the answer and the list of seen requests, which are in memory only. A request replayed
within a minute is then served again, to the key of the same reader.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

from schemas.keys.secret_access import ACCESS_MEANING, AccessReason
from schemas.keys.secret_requests import (
    LISTED_MAX,
    SecretAnswer,
    SecretRequest,
    SecretVersion,
    answer_context,
)
from schemas.keys.vault_events import SecretStored
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.buffers import wiping
from signer.custody.errors import ClientShareMissingError, ProviderFailure
from signer.custody.hpke import HpkeKey, seal_for
from signer.keys.access import Access, Accessor, Allowed, Refused, Target, admit, decide
from signer.keys.key_register import KeyRegister
from signer.keys.vaults.client_shares import share_info
from signer.keys.vaults.sealing import secret_context
from signer.keys.vaults.secret_register import target_of
from signer.keys.vaults.secret_sealing import SecretSealing
from signer.secrets.read_requests import (
    ReadRequestError,
    SeenRequests,
    VerifiedRequest,
    verify_request,
)


@dataclass(frozen=True, slots=True)
class ReadDecision:
    """A decision; ``found`` are the versions to return, empty if it was refused.

    ``missing`` means that the agent may read, but no such secret or version exists.
    """

    access: Access
    found: tuple[SecretStored, ...] = ()
    missing: bool = False


@dataclass(frozen=True, slots=True)
class SealedAnswer:
    """An answer sealed for the reader, and the providers that failed meanwhile."""

    box: bytes = field(repr=False)
    failures: tuple[ProviderFailure, ...] = ()


@dataclass(slots=True)
class SecretService:
    """Serves agents; ``reading_key`` opens client shares and exists only in this process."""

    registry: Registry
    keys: KeyRegister
    secret_sealing: SecretSealing
    reading_key: HpkeKey
    seen: SeenRequests = field(default_factory=SeenRequests)

    def verify(self, raw: bytes, now_ms: int) -> VerifiedRequest:
        """Verify a request, which is accepted once (step 1); raise ``ReadRequestError``."""
        # 1.
        return verify_request(raw, self.registry, self.seen, now_ms)

    def authorize(self, verified: VerifiedRequest, now_ms: int) -> ReadDecision:
        """Decide (step 2); the caller keeps register and registry unchanged until it returns."""
        # 2. The strictest version decides: one refused version refuses the whole request.
        accessor = Accessor(verified.agent, self.registry.access.get(verified.agent.agent, ()))
        request, path = verified.request, verified.request.path
        if path is None:
            access = admit(accessor, verified.vault, now_ms)
            if isinstance(access, Refused):
                return ReadDecision(access)
            return ReadDecision(access, tuple(self._listed(accessor, verified.vault, now_ms)))
        found = self.secret_sealing.secrets.history((*verified.vault.id, path))
        stored = [self._target(one, verified.vault) for one in found]
        for each in stored or [self._unstored(verified.vault, path)]:
            access = decide(accessor, each, request.operation, now_ms)
            if isinstance(access, Refused):
                return ReadDecision(access)
        if verified.vault.holds_keys:
            return ReadDecision(_signing_key(verified.vault, path))
        return _select(request, found)

    def serve(self, verified: VerifiedRequest, decision: ReadDecision) -> SealedAnswer:
        """Open and seal the allowed versions (step 3); raise ``CustodyError`` if one fails."""
        if verified.request.operation in ("list", "history"):
            versions = tuple(_version_without_value(each) for each in decision.found)
            return self._seal(verified, versions, ())
        # 3. From here on only immutable data is read: no lock is needed while holders are asked.
        (stored,) = decision.found
        share = self._share(verified, stored)
        with wiping(share) if share is not None else nullcontext():
            opening = self.secret_sealing.open(stored, share)
        with wiping(opening.secret) as value:
            fields = _version_without_value(stored).model_dump() | {"value": f"0x{value.hex()}"}
            version = SecretVersion(**fields)
        return self._seal(verified, (version,), opening.failures)

    def _listed(self, accessor: Accessor, vault: Vault, at_ms: int) -> Iterator[SecretStored]:
        """Yield the newest version of each secret the agent may list, at most ``LISTED_MAX``."""
        count = 0
        for secret_id, versions in sorted(self.secret_sealing.secrets.versions.items()):
            if secret_id[:2] == vault.id and count < LISTED_MAX:
                target = self._target(versions[-1], vault)
                if isinstance(decide(accessor, target, "list", at_ms), Allowed):
                    count += 1
                    yield versions[-1]

    def _target(self, stored: SecretStored, vault: Vault) -> Target:
        signs = self.keys.find(stored.account, stored.path) is not None
        return target_of(stored, vault, signs=signs)

    def _unstored(self, vault: Vault, path: str) -> Target:
        """Return the target for a path without a secret: a signing key, or an empty path."""
        if not vault.holds_keys:
            return Target(vault, path, "note", generated=False)
        key = self.keys.find(vault.account, path)
        return Target(vault, path, "private_key", generated=key is None or not key.imported)

    def _share(self, verified: VerifiedRequest, stored: SecretStored) -> bytearray | None:
        share = verified.request.client_share
        if share is None:
            return None
        if share.share_key != f"0x{self.reading_key.public_key.hex()}":
            raise ClientShareMissingError(
                "The client share is sealed to the key of another custody process: fetch the "
                "current reading key and seal the share again."
            )
        context = secret_context(self.registry.org, verified.vault, stored.path, stored.version)
        info = share_info(share, context, verified.agent.agent)
        return self.reading_key.open(bytes.fromhex(share.box[2:]), info)

    def _seal(
        self,
        verified: VerifiedRequest,
        versions: tuple[SecretVersion, ...],
        failures: tuple[ProviderFailure, ...],
    ) -> SealedAnswer:
        body = SecretAnswer(request=verified.name, secrets=versions).encode()
        try:
            box = seal_for(verified.request.reply_to, body, answer_context(verified.name))
        except ValueError:
            raise ReadRequestError(
                "reply_to is not a valid X25519 public key, so the answer cannot be sealed to it"
            ) from None
        return SealedAnswer(box, failures)


def _select(request: SecretRequest, found: tuple[SecretStored, ...]) -> ReadDecision:
    if request.operation == "history":
        return ReadDecision(Allowed(), found[-LISTED_MAX:], missing=not found)
    version = request.version or len(found)
    selected = found[version - 1 : version] if version else ()
    return ReadDecision(Allowed(), selected, missing=not selected)


def _signing_key(vault: Vault, path: str) -> Refused:
    reason = AccessReason.KEY_SIGNS
    return Refused(reason, f"{ACCESS_MEANING[reason]} ({path} in {vault.name})")


def _version_without_value(stored: SecretStored) -> SecretVersion:
    return SecretVersion(
        path=stored.path,
        version=stored.version,
        kind=stored.kind,
        generated=stored.generated,
        stored_at_ms=stored.stored_at_ms,
    )

"""Where agents read secrets that are no signing keys: prove who asks, decide, open, seal.

1. ``prove``: the request is canonical, fresh, not seen before, and the agent's that it names.
2. ``judge``: ``signer.access`` decides. Nothing was opened yet, and whoever is refused learns no
   more than the reason.
3. ``serve``: what may be read is opened, and the answer sealed for the key that the signed request
   names. However long the holders of shares take, nothing that changes is touched.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

from schemas.access import ACCESS_MEANING, AccessReason
from schemas.secret_requests import (
    LISTED_MAX,
    SecretAnswer,
    SecretRequest,
    SecretVersion,
    answer_context,
)
from schemas.vault_events import SecretStored
from signer.access import Access, Accessor, Allowed, Refused, Target, admit, decide
from signer.custody.buffers import wiping
from signer.custody.errors import ClientShareMissingError
from signer.custody.failures import ProviderFailure
from signer.custody.hpke import HpkeKey, seal_for
from signer.keys.register import KeyRegister
from signer.registry import Registry
from signer.vaults.client_shares import share_info
from signer.vaults.read_requests import ProvenRequest, ReadRequestError, SeenRequests, prove
from signer.vaults.sealing import secret_context
from signer.vaults.secret_register import target_of
from signer.vaults.secret_sealing import SecretSealing
from signer.vaults.vault import Vault


@dataclass(frozen=True, slots=True)
class ReadDecision:
    """What was decided; ``found`` are the versions to be told of, none where it was refused.

    ``missing`` says that the agent may read, and nothing is there.
    """

    access: Access
    found: tuple[SecretStored, ...] = ()
    missing: bool = False


@dataclass(frozen=True, slots=True)
class SealedAnswer:
    """An answer sealed for the reader, and which providers failed on the way to it."""

    box: bytes = field(repr=False)
    failures: tuple[ProviderFailure, ...] = ()


@dataclass(slots=True)
class SecretService:
    """Serves agents; ``reading_key`` lives as long as this process and opens clients' shares."""

    registry: Registry
    keys: KeyRegister
    secret_sealing: SecretSealing
    reading_key: HpkeKey
    seen: SeenRequests = field(default_factory=SeenRequests)

    def prove(self, raw: bytes, now_ms: int) -> ProvenRequest:
        """Return a request once it is proven; raise ``ReadRequestError``. It serves once."""
        return prove(raw, self.registry, self.seen, now_ms)

    def judge(self, asked: ProvenRequest, now_ms: int) -> ReadDecision:
        """Decide; whoever changes the register or the registry waits until it returns."""
        accessor = Accessor(asked.agent, self.registry.access.get(asked.agent.agent, ()))
        request, path = asked.request, asked.request.path
        if path is None:
            access = admit(accessor, asked.vault, now_ms)
            if isinstance(access, Refused):
                return ReadDecision(access)
            return ReadDecision(access, tuple(self._listed(accessor, asked.vault, now_ms)))
        found = self.secret_sealing.secrets.history((*asked.vault.place, path))
        target = target_of(found[0], asked.vault) if found else self._unstored(asked.vault, path)
        for each in [target_of(one, asked.vault) for one in found] or [target]:
            access = decide(accessor, each, request.operation, now_ms)
            if isinstance(access, Refused):
                return ReadDecision(access)
        if asked.vault.holds_keys:
            return ReadDecision(_signing_key(asked.vault, path))
        return _chosen(request, found)

    def serve(self, asked: ProvenRequest, judged: ReadDecision) -> SealedAnswer:
        """Return what was allowed; raise ``CustodyError`` where it does not open."""
        if asked.request.operation in ("list", "history"):
            return self._sealed(asked, tuple(_told(each) for each in judged.found), ())
        (stored,) = judged.found
        share = self._share(asked, stored)
        with wiping(share) if share is not None else nullcontext():
            opening = self.secret_sealing.open(stored, share)
        with wiping(opening.secret) as value:
            told = SecretVersion(**_told(stored).model_dump() | {"value": f"0x{value.hex()}"})
        return self._sealed(asked, (told,), opening.failures)

    def _listed(self, accessor: Accessor, vault: Vault, at_ms: int) -> Iterator[SecretStored]:
        """Yield the newest version of every secret that an agent may know of, at most so many."""
        count = 0
        for place, versions in sorted(self.secret_sealing.secrets.versions.items()):
            if place[:2] == vault.place and count < LISTED_MAX:
                target = target_of(versions[-1], vault)
                if isinstance(decide(accessor, target, "list", at_ms), Allowed):
                    count += 1
                    yield versions[-1]

    def _unstored(self, vault: Vault, path: str) -> Target:
        """Return what a path is judged as where no secret is: a signing key, or nothing yet."""
        if not vault.holds_keys:
            return Target(vault, path, "note", generated=False)
        key = self.keys.find(vault.account, path)
        return Target(vault, path, "private_key", generated=key is None or not key.imported)

    def _share(self, asked: ProvenRequest, stored: SecretStored) -> bytearray | None:
        share = asked.request.client_share
        if share is None:
            return None
        if share.share_key != f"0x{self.reading_key.public_key.hex()}":
            raise ClientShareMissingError(
                "The client's share is sealed for another custody process: ask for its reading "
                "key and seal again."
            )
        context = secret_context(self.registry.org, asked.vault, stored.path, stored.version)
        info = share_info(share, context, asked.agent.agent)
        return self.reading_key.open(bytes.fromhex(share.box[2:]), info)

    def _sealed(
        self,
        asked: ProvenRequest,
        told: tuple[SecretVersion, ...],
        failures: tuple[ProviderFailure, ...],
    ) -> SealedAnswer:
        body = SecretAnswer(request=asked.name, secrets=told).encode()
        try:
            box = seal_for(asked.request.reply_to, body, answer_context(asked.name))
        except ValueError:
            raise ReadRequestError(
                "reply_to is no key that an answer could be sealed for"
            ) from None
        return SealedAnswer(box, failures)


def _chosen(request: SecretRequest, found: tuple[SecretStored, ...]) -> ReadDecision:
    if request.operation == "history":
        return ReadDecision(Allowed(), found[-LISTED_MAX:], missing=not found)
    version = request.version or len(found)
    chosen = found[version - 1 : version] if version else ()
    return ReadDecision(Allowed(), chosen, missing=not chosen)


def _signing_key(vault: Vault, path: str) -> Refused:
    reason = AccessReason.KEY_SIGNS
    return Refused(reason, f"{ACCESS_MEANING[reason]} ({path} in {vault.name})")


def _told(stored: SecretStored) -> SecretVersion:
    return SecretVersion(
        path=stored.path,
        version=stored.version,
        kind=stored.kind,
        generated=stored.generated,
        stored_at_ms=stored.stored_at_ms,
    )

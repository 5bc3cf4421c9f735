"""Finding the shares that open a secret, as they come in; pure, whoever brings them."""

from collections.abc import Callable
from itertools import combinations
from typing import TypeAlias

from signer.custody.aead import KEY_BYTES
from signer.custody.context import SecretContext
from signer.custody.data_key import rebuild_data_key
from signer.custody.envelope import open_under_dek
from signer.custody.errors import CorruptError, CustodyError, QuorumError, SharesMismatchError
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.modes import ClientPart, Plan
from signer.custody.share import Share, decode_share

Yields: TypeAlias = Callable[[bytearray, SecretContext, bytes], bytearray]
"""Makes something of a DEK that proved to be right; raises ``CorruptError`` for any other."""


class ShareCombination:
    """The shares of one DEK that are here, and what is known of those who did not bring theirs.

    ``yields`` says what comes of the DEK: usually the secret.

    ``client`` is the client's part, and None where it has none or does not take part. What proves
    a DEK is the tag of the secret that it opens, so every set of shares that is large enough is
    tried, and the first that opens the secret tells whose other share was a lie.
    """

    def __init__(
        self,
        plan: Plan,
        context: SecretContext,
        ciphertext: bytes,
        client: Share | None,
        yields: Yields = open_under_dek,
    ) -> None:
        self.failures: list[ProviderFailure] = []
        self._plan = plan
        self._context = context
        self._ciphertext = ciphertext
        self._client = client
        self._yields = yields
        in_the_split = plan.client is ClientPart.SHARE and client is not None
        self._needed = plan.threshold - in_the_split
        self._held: dict[str, Share] = {}

    def fail(self, provider: str, cause: Cause) -> None:
        """Note that a provider brought nothing."""
        self.failures.append(ProviderFailure(provider, cause))

    def take(self, provider: str, number: int, encoded: bytes | bytearray) -> bytearray | None:
        """Take a provider's share of this number; return what the DEK yields once it is right."""
        try:
            share = decode_share(encoded, number, KEY_BYTES)
        except SharesMismatchError:
            self.fail(provider, Cause.CORRUPT)
            return None
        others = tuple(self._held)
        self._held[provider] = share
        for chosen in combinations(others, self._needed - 1):
            secret = self._try((*chosen, provider))
            if secret is not None:
                self._accuse(set(others) - set(chosen))
                return secret
        return None

    def lost(self) -> CustodyError:
        """Return why the secret is not opened, once all who were asked have answered."""
        where = f"{self._context.path}, version {self._context.version}, in {self._context.vault}"
        failures = tuple(self.failures)
        if len(self._held) >= self._needed:
            return mismatch(self._context, failures)
        said = ", ".join(f"{each.provider} ({each.cause})" for each in failures)
        return QuorumError(
            f"Too few providers gave their share of {where}: {len(self._held)} of the "
            f"{self._needed} that it takes; failed: {said}. Nothing was opened: try again later.",
            failures,
        )

    def close(self) -> None:
        """Wipe the shares that are here."""
        for share in self._held.values():
            share.wipe()

    def _try(self, providers: tuple[str, ...]) -> bytearray | None:
        shares = [self._held[provider] for provider in providers]
        try:
            dek = rebuild_data_key(self._plan, shares, self._client)
            return self._yields(dek, self._context, self._ciphertext)
        except CorruptError:
            return None

    def _accuse(self, providers: set[str]) -> None:
        for provider in sorted(providers):
            self.fail(provider, Cause.LIED)


def mismatch(
    context: SecretContext, failures: tuple[ProviderFailure, ...] = ()
) -> SharesMismatchError:
    """Return the error for parts that are all here and give no DEK that opens the secret."""
    return SharesMismatchError(
        f"The shares do not belong together that came for {context.path}, version "
        f"{context.version}, in vault {context.vault}: one is of another secret or version or was "
        "changed, or the secret was. Nothing was opened: check the client's share and the backup.",
        failures,
    )

"""Share combination: finds, as shares arrive, a set of them that opens the secret; pure."""

from collections.abc import Callable
from itertools import combinations
from typing import TypeAlias

from signer.custody.aead import KEY_BYTES
from signer.custody.context import SecretContext
from signer.custody.custody_modes import ClientPart, Plan
from signer.custody.data_key import rebuild_data_key
from signer.custody.envelope import open_under_dek
from signer.custody.errors import (
    Cause,
    CorruptError,
    CustodyError,
    ProviderFailure,
    QuorumError,
    SharesMismatchError,
)
from signer.custody.share import Share, decode_share

UseKey: TypeAlias = Callable[[bytearray, SecretContext, bytes], bytearray]
"""Takes a candidate DEK, context and ciphertext; raises ``CorruptError`` if the DEK is wrong."""


class ShareCombination:
    """The shares of one DEK that have arrived, and the failures of the other providers.

    ``use_key`` turns the DEK into the result, usually the secret. ``client`` is the client's part,
    or None if it has none or does not take part.

    Only the AEAD tag of the secret shows that a DEK is right. So every sufficiently large set of
    shares is tried, and the first set that opens the secret reveals which other shares were wrong.
    """

    def __init__(
        self,
        plan: Plan,
        context: SecretContext,
        ciphertext: bytes,
        client: Share | None,
        use_key: UseKey = open_under_dek,
    ) -> None:
        self.failures: list[ProviderFailure] = []
        self._plan = plan
        self._context = context
        self._ciphertext = ciphertext
        self._client = client
        self._use_key = use_key
        in_the_split = plan.client is ClientPart.SHARE and client is not None
        self._needed = plan.threshold - in_the_split
        self._held: dict[str, Share] = {}

    def fail(self, provider: str, cause: Cause) -> None:
        """Record that a provider returned no share."""
        self.failures.append(ProviderFailure(provider, cause))

    def add(self, provider: str, number: int, encoded: bytes | bytearray) -> bytearray | None:
        """Add a provider's share; return the result once a set of shares opens the secret."""
        try:
            share = decode_share(encoded, number, KEY_BYTES)
        except SharesMismatchError:
            self.fail(provider, Cause.CORRUPT)
            return None
        others = tuple(self._held)
        self._held[provider] = share
        for tried in combinations(others, self._needed - 1):
            secret = self._try((*tried, provider))
            if secret is not None:
                self._mark_wrong(set(others) - set(tried))
                return secret
        return None

    def error(self) -> CustodyError:
        """Return why the secret did not open, once all providers have answered."""
        version = f"{self._context.path}, version {self._context.version}, in {self._context.vault}"
        failures = tuple(self.failures)
        if len(self._held) >= self._needed:
            return mismatch(self._context, failures)
        reasons = ", ".join(f"{each.provider} ({each.cause})" for each in failures)
        return QuorumError(
            f"Too few providers returned their share of {version}: {len(self._held)} of "
            f"{self._needed}; failed: {reasons}. Nothing was opened: retry later.",
            failures,
        )

    def close(self) -> None:
        """Wipe all shares."""
        for share in self._held.values():
            share.wipe()

    def _try(self, providers: tuple[str, ...]) -> bytearray | None:
        shares = [self._held[provider] for provider in providers]
        try:
            dek = rebuild_data_key(self._plan, shares, self._client)
            return self._use_key(dek, self._context, self._ciphertext)
        except CorruptError:
            return None

    def _mark_wrong(self, providers: set[str]) -> None:
        for provider in sorted(providers):
            self.fail(provider, Cause.LIED)


def mismatch(
    context: SecretContext, failures: tuple[ProviderFailure, ...] = ()
) -> SharesMismatchError:
    """Return the error for parts that are complete, but do not rebuild the secret's DEK."""
    return SharesMismatchError(
        f"The shares for {context.path}, version {context.version}, in vault {context.vault} do "
        "not belong together: one is of another secret or version, or a share or the secret was "
        "modified. Nothing was opened: check the client share and the backup.",
        failures,
    )

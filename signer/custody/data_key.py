"""A data key in parts, as a mode's plan wants them, and back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from signer.custody import shamir, xor_split
from signer.custody.buffers import RandomBytes, wipe, wiping
from signer.custody.envelope import require_same
from signer.custody.modes import CLIENT_HALF, ClientPart, Plan
from signer.custody.share import Share


@dataclass(frozen=True, slots=True)
class Parts:
    """A data key in parts, which ``wipe`` wipes all.

    ``kept`` is what the client's half leaves (without one, the whole key); where the plan has
    providers it goes to them in ``shares``, each provider's at its place. ``client`` is what the
    client holds.
    """

    kept: bytearray = field(repr=False)
    shares: tuple[Share, ...] = ()
    client: Share | None = None

    def wipe(self) -> None:
        """Overwrite every part with zeros."""
        wipe(self.kept)
        for share in (*self.shares, *filter(None, [self.client])):
            share.wipe()


def split_data_key(plan: Plan, dek: bytearray, random_bytes: RandomBytes) -> Parts:
    """Split a data key as the plan says, proven to be rebuilt by all who may.

    Raise ``RandomnessError``; ``CorruptError`` if some of the parts would not give it back.
    """
    parts = _halve(plan, dek, random_bytes)
    try:
        if plan.providers:
            parts = _share_out(plan, parts, random_bytes)
        _prove(plan, dek, parts)
    except BaseException:
        parts.wipe()
        raise
    return parts


def rebuild_data_key(plan: Plan, shares: Sequence[Share], client: Share | None) -> bytearray:
    """Return the data key of these providers' shares, and the client's part where it has one.

    The caller wipes it. Wrong shares give a wrong key; ``SharesMismatchError`` as ``combine``.
    """
    if plan.client is ClientPart.SHARE and client is not None:
        return shamir.combine([*shares, client])
    return join_client_half(plan, shamir.combine(shares), client)


def join_client_half(plan: Plan, kept: bytearray, client: Share | None) -> bytearray:
    """Return the data key of what was kept and the client's half, if the plan has one.

    ``kept`` is wiped unless it is itself the key.
    """
    if plan.client is not ClientPart.HALF or client is None:
        return kept
    with wiping(kept):
        return xor_split.join(kept, client.value)


def _halve(plan: Plan, dek: bytearray, random_bytes: RandomBytes) -> Parts:
    if plan.client is not ClientPart.HALF:
        return Parts(bytearray(dek))
    kept, half = xor_split.split(dek, random_bytes)
    return Parts(kept, client=Share(CLIENT_HALF, half))


def _share_out(plan: Plan, parts: Parts, random_bytes: RandomBytes) -> Parts:
    shares = shamir.split(parts.kept, plan.shares, plan.threshold, random_bytes)
    client = shares[-1] if plan.client is ClientPart.SHARE else parts.client
    return Parts(parts.kept, shares[: plan.providers], client)


def _prove(plan: Plan, dek: bytearray, parts: Parts) -> None:
    with wiping(join_client_half(plan, bytearray(parts.kept), parts.client)) as proof:
        require_same(proof, dek)
    if plan.providers:
        for shares in combinations(_of_the_split(plan, parts), plan.threshold):
            with wiping(shamir.combine(shares)) as proof:
                require_same(proof, parts.kept)


def _of_the_split(plan: Plan, parts: Parts) -> list[Share]:
    if plan.client is ClientPart.SHARE and parts.client is not None:
        return [*parts.shares, parts.client]
    return [*parts.shares]

"""Splits a data key into the parts of a custody mode, and rebuilds it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from signer.custody import shamir, xor_split
from signer.custody.buffers import RandomBytes, wipe, wiping
from signer.custody.custody_modes import CLIENT_HALF, ClientPart, Plan
from signer.custody.envelope import require_same
from signer.custody.share import Share


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a data key; ``wipe`` wipes all of them.

    ``server_part`` is the server's half, or the whole key if the client has no half. If the plan
    has providers, it is split into ``shares``, in the order of the providers. ``client`` is the
    client's half or share.
    """

    server_part: bytearray = field(repr=False)
    shares: tuple[Share, ...] = ()
    client: Share | None = None

    def wipe(self) -> None:
        """Overwrite every part with zeros."""
        wipe(self.server_part)
        for share in (*self.shares, *filter(None, [self.client])):
            share.wipe()


def split_data_key(plan: Plan, dek: bytearray, random_bytes: RandomBytes) -> Parts:
    """Split a data key as the plan says, and verify that every sufficient set of parts rebuilds it.

    Raises ``RandomnessError``; ``CorruptError`` if a set of parts does not rebuild it.
    """
    parts = _split_client_half(plan, dek, random_bytes)
    try:
        if plan.providers:
            parts = _split_shares(plan, parts, random_bytes)
        _verify_parts(plan, dek, parts)
    except BaseException:
        parts.wipe()
        raise
    return parts


def rebuild_data_key(plan: Plan, shares: Sequence[Share], client: Share | None) -> bytearray:
    """Return the data key rebuilt from providers' shares and the client's part, if there is one.

    The caller wipes it. Wrong shares give a wrong key; raises ``SharesMismatchError`` as
    ``combine`` does.
    """
    if plan.client is ClientPart.SHARE and client is not None:
        return shamir.combine([*shares, client])
    return join_client_half(plan, shamir.combine(shares), client)


def join_client_half(plan: Plan, server_part: bytearray, client: Share | None) -> bytearray:
    """Return the data key from the server's half and the client's, if the plan has a client half.

    ``server_part`` is wiped unless it is itself the key.
    """
    if plan.client is not ClientPart.HALF or client is None:
        return server_part
    with wiping(server_part):
        return xor_split.join(server_part, client.value)


def _split_client_half(plan: Plan, dek: bytearray, random_bytes: RandomBytes) -> Parts:
    if plan.client is not ClientPart.HALF:
        return Parts(bytearray(dek))
    server_part, half = xor_split.split(dek, random_bytes)
    return Parts(server_part, client=Share(CLIENT_HALF, half))


def _split_shares(plan: Plan, parts: Parts, random_bytes: RandomBytes) -> Parts:
    shares = shamir.split(parts.server_part, plan.shares, plan.threshold, random_bytes)
    client = shares[-1] if plan.client is ClientPart.SHARE else parts.client
    return Parts(parts.server_part, shares[: plan.providers], client)


def _verify_parts(plan: Plan, dek: bytearray, parts: Parts) -> None:
    with wiping(join_client_half(plan, bytearray(parts.server_part), parts.client)) as proof:
        require_same(proof, dek)
    if plan.providers:
        for shares in combinations(_shamir_shares(plan, parts), plan.threshold):
            with wiping(shamir.combine(shares)) as proof:
                require_same(proof, parts.server_part)


def _shamir_shares(plan: Plan, parts: Parts) -> list[Share]:
    if plan.client is ClientPart.SHARE and parts.client is not None:
        return [*parts.shares, parts.client]
    return [*parts.shares]

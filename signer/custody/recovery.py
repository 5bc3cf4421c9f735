"""Replacing a client's share that was lost, by the two providers alone: an operator's act.

No read comes here, and nobody gets the secret. It takes an admin's signed order for this one
version of this one secret. The data key is put together, proven by the secret's own tag, and split
anew: all three shares are others from then on, so that the one that was lost is worth nothing with
them, whoever finds it.
"""

from dataclasses import dataclass, field, replace

from schemas.canonical import MalformedError
from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.fields import X25519PublicKey
from schemas.recovery import RecoveryOrder
from signer.custody.buffers import RandomBytes, wipe, wiping
from signer.custody.context import SecretContext
from signer.custody.data_key import split_data_key
from signer.custody.envelope import SealedSecret, open_under_dek
from signer.custody.errors import CorruptError, QuorumError, RecoveryRefusedError
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.modes import PLANS
from signer.custody.opening import open_by_providers
from signer.custody.sealing import Holders, wrap_shares
from signer.order_validity import validity_problem
from signer.signatures import InvalidSignatureError, open_envelope_of_any


@dataclass(frozen=True, slots=True)
class Approval:
    """An order as it came, and what it is judged by: the organisation's admin keys, the time."""

    order: Envelope
    admin_keys: tuple[str, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A secret with all shares of its data key new, and the key that the client's is for."""

    sealed: SealedSecret
    client_share: bytearray = field(repr=False)
    share_for: X25519PublicKey


def recover(
    holders: Holders,
    context: SecretContext,
    sealed: SealedSecret,
    approval: Approval,
    random_bytes: RandomBytes,
) -> Recovered:
    """Split the data key of a secret of mode ``2of3_client_custody`` anew, as an admin ordered.

    The caller hands the client's share over and wipes it. Raise ``RecoveryRefusedError`` unless the
    order is an admin's, for exactly this version of this secret, and in its time; ``QuorumError``
    unless both providers answer; ``CorruptError``. Then nothing changed.
    """
    plan = PLANS[context.mode]
    if not plan.recoverable:
        raise RecoveryRefusedError(
            f"A secret of mode {context.mode} has no recovery: it opens as a read, or not at all."
        )
    order = check_approval(context, approval)
    _require_all(holders, sealed)
    with wiping(open_by_providers(holders, context, sealed, None, _proven).secret) as dek:
        parts = split_data_key(plan, dek, random_bytes)
    try:
        shares = wrap_shares(holders.providers, context, parts.shares)
        share = parts.client.encode() if parts.client else bytearray()
        return Recovered(replace(sealed, wrapped_shares=shares), share, order.share_for)
    finally:
        parts.wipe()


def check_approval(context: SecretContext, approval: Approval) -> RecoveryOrder:
    """Return an admin's order for this version, in its time; raise ``RecoveryRefusedError``."""
    try:
        body = open_envelope_of_any(approval.order, VAULT_ORDER_TYPE, approval.admin_keys)
        order = RecoveryOrder.decode(body)
    except InvalidSignatureError:
        raise RecoveryRefusedError(
            "No admin of the organisation signed the order to recover; have one sign it."
        ) from None
    except MalformedError as error:
        raise RecoveryRefusedError(f"The order to recover is malformed ({error}).") from None
    ordered = (order.org, order.account, order.vault, order.path, order.version)
    if ordered != (context.org, context.account, context.vault, context.path, context.version):
        raise RecoveryRefusedError(
            "The order to recover is for another secret, or another version; order this one."
        )
    if why := validity_problem(order.requested_at_ms, order.expires_at_ms, approval.now_ms):
        raise RecoveryRefusedError(f"Nothing is recovered: {why}.")
    return order


def _require_all(holders: Holders, sealed: SealedSecret) -> None:
    """Refuse before anybody is asked where a provider that is to hold a share is not there."""
    here = {provider.name for provider in holders.providers}
    missing = [share.provider for share in sealed.wrapped_shares if share.provider not in here]
    if missing:
        raise QuorumError(
            f"A recovery wants both providers: name {', '.join(missing)} in the settings.",
            tuple(ProviderFailure(name, Cause.NOT_CONFIGURED) for name in missing),
        )


def _proven(dek: bytearray, context: SecretContext, ciphertext: bytes) -> bytearray:
    """Return a DEK that opens the secret, of which nothing is kept; raise ``CorruptError``."""
    try:
        wipe(open_under_dek(bytearray(dek), context, ciphertext))
    except CorruptError:
        wipe(dek)
        raise
    return dek

"""Recovery: replaces a lost client share with the two providers' shares, by an admin's order.

1. Verify an admin's signed order for exactly this version, before any provider is asked.
2. Rebuild the data key from the providers' shares; the secret's tag proves that it is right.
3. Split the data key again and wrap the new shares. All three shares are new, so the lost one is
   useless with them.

The secret is never returned, and reads do not use this module. *Wherever the process ends in here,
nothing is stored yet, and the old shares still open the secret.*
"""

from dataclasses import dataclass, field, replace

from schemas.canonical import MalformedError
from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.fields import X25519PublicKey
from schemas.keys.recovery import RecoveryOrder
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import open_envelope_of_any
from signer.custody.buffers import RandomBytes, wipe, wiping
from signer.custody.context import SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.data_key import split_data_key
from signer.custody.envelope import SealedSecret, open_under_dek
from signer.custody.errors import (
    Cause,
    CorruptError,
    ProviderFailure,
    QuorumError,
    RecoveryRefusedError,
)
from signer.custody.opening import open_by_providers
from signer.custody.order_validity import validity_problem
from signer.custody.sealing import Holders, wrap_shares


@dataclass(frozen=True, slots=True)
class Approval:
    """A received order, with the organisation's admin keys and the time to verify it against."""

    order: Envelope
    admin_keys: tuple[str, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """A secret with new shares of its data key, and the client's public key for its share."""

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
    """Split the data key of a secret of mode ``2of3_client_custody`` again, as an admin ordered.

    The caller seals the client share for the client and wipes it. Raises ``RecoveryRefusedError``
    unless the order is an admin's, for exactly this version, and timely; ``QuorumError`` unless
    both providers answer; ``CorruptError``. Then nothing changed.
    """
    plan = PLANS[context.mode]
    if not plan.recoverable:
        raise RecoveryRefusedError(
            f"A secret of mode {context.mode} cannot be recovered: only a normal read opens it."
        )
    # 1. Before any provider is asked.
    order = check_approval(context, approval)
    _require_providers(holders, sealed)
    # 2. Only the data key leaves this call; the secret is wiped as soon as its tag is verified.
    with wiping(open_by_providers(holders, context, sealed, None, _verify_dek).secret) as dek:
        parts = split_data_key(plan, dek, random_bytes)
    try:
        # 3. Until the caller commits the result, the old shares are the stored ones.
        shares = wrap_shares(holders.providers, context, parts.shares)
        share = parts.client.encode() if parts.client else bytearray()
        return Recovered(replace(sealed, wrapped_shares=shares), share, order.share_for)
    finally:
        parts.wipe()


def check_approval(context: SecretContext, approval: Approval) -> RecoveryOrder:
    """Return an admin's timely order for this version; raise ``RecoveryRefusedError``."""
    try:
        body = open_envelope_of_any(approval.order, VAULT_ORDER_TYPE, approval.admin_keys)
        order = RecoveryOrder.decode(body)
    except InvalidSignatureError:
        raise RecoveryRefusedError(
            "The order to recover is not signed by an admin of the organisation; have one sign it."
        ) from None
    except MalformedError as error:
        raise RecoveryRefusedError(f"The order to recover is malformed ({error}).") from None
    ordered = (order.org, order.account, order.vault, order.path, order.version)
    if ordered != (context.org, context.account, context.vault, context.path, context.version):
        raise RecoveryRefusedError(
            "The order to recover is for another secret or version; order the recovery of this one."
        )
    if why := validity_problem(order.requested_at_ms, order.expires_at_ms, approval.now_ms):
        raise RecoveryRefusedError(f"Nothing is recovered: {why}.")
    return order


def _require_providers(holders: Holders, sealed: SealedSecret) -> None:
    """Raise ``QuorumError`` before any call if a provider of a share is not configured."""
    configured = {provider.name for provider in holders.providers}
    shares = sealed.wrapped_shares
    missing = [share.provider for share in shares if share.provider not in configured]
    if missing:
        raise QuorumError(
            f"A recovery needs both providers: add {', '.join(missing)} to the settings.",
            tuple(ProviderFailure(name, Cause.NOT_CONFIGURED) for name in missing),
        )


def _verify_dek(dek: bytearray, context: SecretContext, ciphertext: bytes) -> bytearray:
    """Return the DEK if it opens the secret, which is wiped; raise ``CorruptError`` if not."""
    try:
        wipe(open_under_dek(bytearray(dek), context, ciphertext))
    except CorruptError:
        wipe(dek)
        raise
    return dek

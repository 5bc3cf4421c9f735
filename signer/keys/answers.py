"""Verification of key answers: signed by a signer, ordered by an admin, and matching the order."""

from schemas.keys.key_events import (
    AnyAnswer,
    AnyOrder,
    KeyDeactivation,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
    answer_id,
)
from schemas.registry.custody import AGENT_KEYS
from signer.core.registry.registry import Registry
from signer.keys.addresses.derivation import canonical_address, derive
from signer.keys.orders import KeyOrderError, read_answered_order
from signer.keys.signer_events import require_answer_signature
from signer.keys.vault_paths import default_vaults

FIRST_VERSION = 1


def verify_answer(answer: AnyAnswer, registry: Registry) -> AnyOrder:
    """Verify that a registered signer answered an admin's order; return the order.

    Raises ``KeyOrderError``, also if a key's address does not derive from its public key.
    """
    order = read_answered_order(answer.request, registry)
    require_answer_signature(answer, order, registry)
    if answer.id != answer_id(answer.request.body()):
        raise KeyOrderError("the answer's id does not match its order")
    if isinstance(answer, KeyProvisioned):
        _check_derived(answer)
    return order


def check_matches_order(answer: AnyAnswer, order: AnyOrder, newest: KeyProvisioned | None) -> None:
    """Raise ``KeyOrderError`` unless an answer matches its order exactly.

    ``newest`` is the answer that created the newest key at the order's path.
    """
    if (answer.type, answer.account, answer.path, answer.version) != _expected(order):
        raise KeyOrderError("the answer is for another key than its order")
    if not isinstance(answer, KeyProvisioned):
        return
    chain = order.chain if isinstance(order, KeyRequest | KeyImport) else newest and newest.chain
    imported = isinstance(order, KeyImport) and order.address != answer.address
    allowed = answer.vault in allowed_vaults(order, newest)
    if answer.chain != chain or not allowed or imported:
        raise KeyOrderError("the answer is for another key than its order")


def allowed_vaults(order: AnyOrder, newest: KeyProvisioned | None) -> tuple[str, ...]:
    """Return the vaults that may hold the key of an order; a key never changes its vault.

    If an order names no vault, the signer chooses (``vault.default_vault``).
    """
    if not isinstance(order, KeyRequest | KeyImport):
        return (newest.vault if newest else AGENT_KEYS,)
    return (order.vault,) if order.vault else default_vaults(order.path)


def _expected(order: AnyOrder) -> tuple[str, str, str, int]:
    """Return the type, account, path and version that the answer to an order must have."""
    match order:
        case KeyRotation():
            return "key.provisioned", order.account, order.path, order.version + 1
        case KeyDeactivation():
            return "key.deactivated", order.account, order.path, order.version
        case _:
            return "key.provisioned", order.account, order.path, FIRST_VERSION


def _check_derived(answer: KeyProvisioned) -> None:
    try:
        derived = derive(answer.chain, bytes.fromhex(answer.public_key[2:]))
    except ValueError:
        derived = ""
    if canonical_address(answer.chain, derived) != answer.address:
        raise KeyOrderError("the answer's address does not derive from its public key")

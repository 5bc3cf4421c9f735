"""A signer's answer to an order about a key: is it the signer's, and is it what was ordered?"""

from schemas.custody import AGENT_KEYS
from schemas.keys import (
    AnyAnswer,
    AnyOrder,
    KeyDeactivation,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
    answer_id,
)
from signer.addresses.derivation import canonical_address, derive
from signer.keys.orders import KeyOrderError, read_order
from signer.registry import Registry
from signer.signer_events import require_answer_signature
from signer.vaults.vault import default_vaults

FIRST_VERSION = 1


def verify_answer(answer: AnyAnswer, registry: Registry) -> AnyOrder:
    """Return the order that a registered signer answered, itself proven to be an admin's.

    Raises ``KeyOrderError``, also where the address of a key is not its public key's.
    """
    order = read_order(answer.request, registry)
    require_answer_signature(answer, order, registry)
    if answer.id != answer_id(answer.request.body()):
        raise KeyOrderError("the answer's id is not its request's")
    if isinstance(answer, KeyProvisioned):
        _check_derived(answer)
    return order


def check_matches_order(answer: AnyAnswer, order: AnyOrder, newest: KeyProvisioned | None) -> None:
    """Raise ``KeyOrderError`` unless an answer gives exactly what was ordered.

    ``newest`` is the answer that made the key which stands at the order's path.
    """
    place = (answer.type, answer.account, answer.path, answer.version)
    if place != _place(order):
        raise KeyOrderError("the answer is for another key than the request")
    if not isinstance(answer, KeyProvisioned):
        return
    chain = order.chain if isinstance(order, KeyRequest | KeyImport) else newest and newest.chain
    imported = isinstance(order, KeyImport) and order.address != answer.address
    placed = answer.vault in allowed_vaults(order, newest)
    if answer.chain != chain or not placed or imported:
        raise KeyOrderError("the answer is for another key than the request")


def allowed_vaults(order: AnyOrder, newest: KeyProvisioned | None) -> tuple[str, ...]:
    """Return the vaults in which the key that an order is about may be: it stays where it was made.

    An order that names none leaves it to the signer (``vault.default_vault``).
    """
    if not isinstance(order, KeyRequest | KeyImport):
        return (newest.vault if newest else AGENT_KEYS,)
    return (order.vault,) if order.vault else default_vaults(order.path)


def _place(order: AnyOrder) -> tuple[str, str, str, int]:
    """Return the type, account, path and version that an answer must have."""
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
        raise KeyOrderError("the answer's address is not its public key's")

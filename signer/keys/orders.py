"""An operator's order about a key: read, and proven to be an admin's."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from schemas.canonical import MalformedError, decode_as
from schemas.dsse import KEY_REQUEST_TYPE, Envelope
from schemas.keys import (
    AnyOrder,
    KeyDeactivation,
    KeyDelivery,
    KeyImport,
    answer_id,
    decode_order,
    delivery_id,
)
from schemas.order import Order
from schemas.redaction import redacted_digest
from signer.order_validity import too_early, validity_problem
from signer.registry import Registry
from signer.signatures import InvalidSignatureError, open_envelope_of_any

_PARCEL: TypeAdapter[Envelope | KeyDelivery] = TypeAdapter(Envelope | KeyDelivery)


class KeyOrderError(Exception):
    """A key request or answer that proves nothing; no key came of it."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A proven order in its envelope; ``box`` holds the sealed secret of an import, else nothing.

    ``id`` is that of its one answer, whoever signed the envelope.
    """

    order: AnyOrder
    envelope: Envelope
    id: str
    box: bytes = field(default=b"", repr=False)


def open_order(raw: bytes, registry: Registry) -> Ordered:
    """Read a record of ``keys.requests``: an envelope, or an import with its box.

    Raises ``KeyOrderError`` unless an admin of the organisation signed it for an open account,
    which claims the address in the registry where the key is from outside.
    """
    try:
        parcel = decode_as(_PARCEL.validate_json, raw)
    except MalformedError as error:
        raise KeyOrderError(f"the request is malformed ({error})") from None
    if isinstance(parcel, Envelope):
        return _ordered(parcel, registry, None)
    return _ordered(parcel.request, registry, parcel)


def read_order(envelope: Envelope, registry: Registry) -> AnyOrder:
    """Return an order that an admin of the organisation signed for an open account.

    Raises ``KeyOrderError``.
    """
    try:
        body = open_envelope_of_any(envelope, KEY_REQUEST_TYPE, registry.admin_keys)
        order = decode_order(body)
    except InvalidSignatureError:
        raise KeyOrderError("no admin key of the organisation signed the request") from None
    except MalformedError as error:
        raise KeyOrderError(f"the request is malformed ({error})") from None
    if order.org != registry.org or order.account not in registry.accounts:
        raise KeyOrderError(f"{order.account} is no open account of the organisation")
    refuse_ahead(order, registry)
    return order


def refuse_ahead(order: Order, registry: Registry) -> None:
    """Raise ``KeyOrderError`` for an order that knows records which the registry has not."""
    if order.registry_sequence > registry.sequence:
        raise KeyOrderError(
            f"the order knows {order.registry_sequence} records of the registry, "
            f"which has {registry.sequence}: give it again"
        )


def check_in_time(order: AnyOrder, now_ms: int) -> None:
    """Raise ``KeyOrderError`` for an order of another time than now.

    That a key signs no more is never too late.
    """
    if isinstance(order, KeyDeactivation):
        why = too_early(order.requested_at_ms, now_ms)
    else:
        why = validity_problem(order.requested_at_ms, order.expires_at_ms, now_ms)
    if why:
        raise KeyOrderError(why)


def _ordered(envelope: Envelope, registry: Registry, delivery: KeyDelivery | None) -> Ordered:
    order, body = read_order(envelope, registry), envelope.body()
    if isinstance(order, KeyImport):
        return Ordered(order, envelope, answer_id(body), _box(order, body, registry, delivery))
    if delivery is not None:
        raise KeyOrderError("a box came with a request that is no import")
    return Ordered(order, envelope, answer_id(body))


def _box(order: KeyImport, body: bytes, registry: Registry, delivery: KeyDelivery | None) -> bytes:
    if delivery is None:
        raise KeyOrderError("an import came without its box")
    if (delivery.id, redacted_digest(delivery.box)) != (delivery_id(body), order.box):
        raise KeyOrderError("the box is not the one that the import names")
    if registry.claims.get(order.address) != order.account:
        raise KeyOrderError(f"{order.account} did not claim the address {order.address}")
    return bytes.fromhex(delivery.box[2:])

"""The common fields of orders about keys and vaults."""

from typing import Literal

from schemas.canonical import Canonical
from schemas.fields import Count, Name, TimeMs


class Order(Canonical):
    """An order's account, its time, and the length of the registry at that time.

    A signer's key that one of these ``registry_sequence`` records revoked cannot answer the order.
    """

    v: Literal[1] = 1
    org: Name
    account: Name
    requested_at_ms: TimeMs
    registry_sequence: Count

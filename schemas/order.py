"""What every order about keys and vaults says."""

from typing import Literal

from schemas.canonical import Canonical
from schemas.fields import Count, Name, TimeMs


class Order(Canonical):
    """Whose order it is, when it was given, and how far the registry went by then.

    A key that ``registry_sequence`` records had taken from a signer does not answer the order any
    more.
    """

    v: Literal[1] = 1
    org: Name
    account: Name
    requested_at_ms: TimeMs
    registry_sequence: Count

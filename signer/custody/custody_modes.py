"""The custody modes: how a data key is split, who holds the parts, how many parts open it.

A vault's mode never changes, and every layer is authenticated with the mode's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from schemas.registry.custody import PROVIDER_COUNT, CustodyMode

SERVER_HALF, CLIENT_HALF = 1, 2


class ClientPart(StrEnum):
    """The client's part of a data key."""

    NONE = "none"
    HALF = "half"  # of an xor split; the other half is held like a whole data key
    SHARE = "share"  # one share of the same Shamir split as the providers' shares


@dataclass(frozen=True, slots=True)
class Plan:
    """How a mode splits a data key.

    Without ``providers``, the vault's KEK wraps it (or the half that is not the client's). With
    providers, it is split, ``threshold`` shares rebuild it, and each provider wraps one share.
    """

    providers: int = 0
    threshold: int = 0
    client: ClientPart = ClientPart.NONE
    recoverable: bool = False

    @property
    def has_vault_key(self) -> bool:
        """Whether the vault has a KEK."""
        return self.providers == 0

    @property
    def needs_client(self) -> bool:
        """Whether opening needs the client's part."""
        return self.client is not ClientPart.NONE

    @property
    def shares(self) -> int:
        """The number of Shamir shares; the client's, if it has one, is the last."""
        return self.providers + (self.client is ClientPart.SHARE)

    @property
    def client_number(self) -> int:
        """The number of the client's part: 2 of two halves, or the last share."""
        return CLIENT_HALF if self.client is ClientPart.HALF else self.shares


PLANS: Mapping[CustodyMode, Plan] = MappingProxyType(
    {
        "envelope": Plan(),
        "2of2_client_custody": Plan(client=ClientPart.HALF),
        "2of3_multi_hsm": Plan(providers=PROVIDER_COUNT["2of3_multi_hsm"], threshold=2),
        "2of3_client_custody": Plan(
            providers=PROVIDER_COUNT["2of3_client_custody"],
            threshold=2,
            client=ClientPart.SHARE,
            recoverable=True,
        ),
        "2of3_multi_hsm_client": Plan(
            providers=PROVIDER_COUNT["2of3_multi_hsm_client"], threshold=2, client=ClientPart.HALF
        ),
    }
)

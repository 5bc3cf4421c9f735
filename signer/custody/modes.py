"""The custody modes: into how many parts a data key goes, who holds them, who must take part.

A mode is chosen once per vault, and every layer is authenticated with its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from schemas.custody import CustodyMode

SERVER_HALF, CLIENT_HALF = 1, 2


class ClientPart(StrEnum):
    """What the client holds of a data key."""

    NONE = "none"
    HALF = "half"  # of an xor split; the other half is held as a whole data key would be
    SHARE = "share"  # one share of the same Shamir split as the providers'


@dataclass(frozen=True, slots=True)
class Plan:
    """How a mode holds a data key.

    Without ``providers`` the vault's KEK wraps it (or the half that is not the client's). With
    them it is split, ``threshold`` of all shares give it back, and each provider wraps one share.
    """

    providers: int = 0
    threshold: int = 0
    client: ClientPart = ClientPart.NONE
    recoverable: bool = False

    @property
    def has_vault_key(self) -> bool:
        """Whether a KEK of the vault takes part."""
        return self.providers == 0

    @property
    def needs_client(self) -> bool:
        """Whether a read must bring the client's share."""
        return self.client is not ClientPart.NONE

    @property
    def shares(self) -> int:
        """How many Shamir shares there are; the client's, if it has one, is the last."""
        return self.providers + (self.client is ClientPart.SHARE)

    @property
    def client_number(self) -> int:
        """The number of what the client holds: of two halves the second, of shares the last."""
        return CLIENT_HALF if self.client is ClientPart.HALF else self.shares


PLANS: Mapping[CustodyMode, Plan] = MappingProxyType(
    {
        "envelope": Plan(),
        "2of2_client_custody": Plan(client=ClientPart.HALF),
        "2of3_multi_hsm": Plan(providers=3, threshold=2),
        "2of3_client_custody": Plan(
            providers=2, threshold=2, client=ClientPart.SHARE, recoverable=True
        ),
        "2of3_multi_hsm_client": Plan(providers=3, threshold=2, client=ClientPart.HALF),
    }
)

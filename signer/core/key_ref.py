"""References to signing keys: what rules know of a key, without its sealed bytes. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from schemas.registry.key_chains import SIGNING_CHAINS, KeyChain


class KeyState(StrEnum):
    """The state of a version of a key; only an active version may sign."""

    ACTIVE = "active"
    ROTATED = "rotated"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One version of a key of an account, in a vault; ``chain`` is the kind of its address.

    ``imported`` if it was created outside Sixgate.
    """

    account: str
    path: str
    version: int
    address: str
    chain: KeyChain
    vault: str
    state: KeyState = KeyState.ACTIVE
    imported: bool = False

    @property
    def active(self) -> bool:
        """Whether this version may be used."""
        return self.state is KeyState.ACTIVE

    @property
    def signs(self) -> bool:
        """Whether Sixgate signs intents with keys of this chain."""
        return self.chain in SIGNING_CHAINS


FindKey: TypeAlias = Callable[[str, str], KeyRef | None]
"""Finds the newest version of the key of an account at a path, in any state."""

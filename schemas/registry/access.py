"""Grants: the rights of an agent on the paths of a vault."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.canonical import Canonical
from schemas.fields import VaultName

Right = Literal["read", "write", "sign"]
GRANTS_MAX = 128

_PART = r"[A-Za-z0-9_*][A-Za-z0-9._*-]{0,62}"
PathGlob = Annotated[
    str,
    StringConstraints(pattern=rf"^(?:{_PART}(?:/{_PART}){{0,7}})$", strict=True, max_length=256),
]


class Grant(Canonical):
    """Allows or denies an agent some rights on the paths of a vault.

    In ``paths``, ``*`` matches any characters within one part, a part ``**`` zero or more parts.
    ``vault`` is a name, or ``*`` for every vault of the agent's account.
    """

    effect: Literal["allow", "deny"]
    vault: VaultName | Literal["*"]
    paths: PathGlob
    rights: tuple[Right, ...] = Field(min_length=1, max_length=3)

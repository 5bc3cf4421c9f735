"""Wrapped data keys in events."""

from typing import Annotated

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Hex, Name
from schemas.registry.custody import PROVIDERS

BLOB_LENGTH_MAX = 16 * 1024
Blob = Annotated[Hex, Field(max_length=BLOB_LENGTH_MAX)]


class WrappedShareText(Canonical):
    """A share that its provider wrapped; its index in the list is its share number."""

    provider: Name
    blob: Blob


WrappedShares = Annotated[
    tuple[WrappedShareText, ...], Field(min_length=1, max_length=len(PROVIDERS))
]


class Wrapped(Canonical):
    """A wrapped data key: wrapped by a vault key, or split into shares of providers."""

    wrapped_kek: Blob | None = None
    wrapped_dek: Blob | None = None
    wrapped_shares: WrappedShares | None = None

"""Signed words on how far something goes: the ledger's chain, the registry."""

from typing import Literal

from schemas.canonical import Canonical
from schemas.fields import Count, Digest, Name, TimeMs


class LedgerHead(Canonical):
    """The newest row's number and hash; a later ledger that contradicts it was rewritten."""

    v: Literal[1] = 1
    type: Literal["ledger.head"] = "ledger.head"
    org: Name
    chain: Name
    sequence: Count
    hash: Digest
    at_ms: TimeMs


class RegistryHead(Canonical):
    """The newest record's number and digest when a registrar looked; it is worth a short time."""

    v: Literal[1] = 1
    type: Literal["registry.head"] = "registry.head"
    org: Name
    sequence: Count
    digest: Digest
    at_ms: TimeMs
    valid_until_ms: TimeMs

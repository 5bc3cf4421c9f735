"""Ledger heads and registry heads: signed statements about the newest row or record."""

from typing import Literal

from schemas.canonical import Canonical
from schemas.fields import Count, Digest, Name, TimeMs


class LedgerHead(Canonical):
    """Sequence and hash of the ledger's newest row; a ledger that contradicts it was rewritten."""

    v: Literal[1] = 1
    type: Literal["ledger.head"] = "ledger.head"
    org: Name
    chain: Name
    sequence: Count
    hash: Digest
    at_ms: TimeMs


class RegistryHead(Canonical):
    """Sequence and digest of the registry's newest record at ``at_ms``; valid for a short time."""

    v: Literal[1] = 1
    type: Literal["registry.head"] = "registry.head"
    org: Name
    sequence: Count
    digest: Digest
    at_ms: TimeMs
    valid_until_ms: TimeMs

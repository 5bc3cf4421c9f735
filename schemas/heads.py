"""The ledger's signed word on how far its chain goes."""

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

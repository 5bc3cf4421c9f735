"""Descriptions of a row's faults. The database's verifier uses them too, so both say the same."""

HASH = "its hash does not match its content"
LINK = "its link is not the hash of the previous row"
OFFSET = "its offset does not increase within its partition"
EVENT_ID = "its event id does not match its body"
BODY = "its body is not a valid event"
HEAD_WITH_OTHER_HASH = "its hash differs from a remembered head"
CONTRADICTING_HEADS = "two remembered heads name different hashes of the row"


def missing(following: int) -> str:
    """Describe a missing row; ``following`` is the next row number found."""
    return f"the row is missing; the next one is {following}"


def cut_off(head: int) -> str:
    """Describe the first missing row of a ledger that ends before the row of a head."""
    return f"the row is missing, and all after it, but a remembered head names row {head}"

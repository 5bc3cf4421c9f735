"""The one table of topics: who writes what, how it is keyed, how long it stays."""

from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 24 * 60 * 60 * 1000
FOR_EVER = -1
SUBMITTED_BYTES_MAX = 256 * 1024
INTERNAL_BYTES_MAX = 2 * 1024 * 1024


class Topic(StrEnum):
    """The topics' names on the wire."""

    SUBMITTED = "intents.submitted"
    UNATTRIBUTED = "intents.unattributed"
    ADMITTED = "intents.admitted"
    ALLOWLISTED = "intents.allowlisted"
    CAPPED = "intents.capped"
    WITHIN_LIMIT = "intents.within-limit"
    CHAIN_CLEARED = "intents.chain-cleared"
    DECIDED = "intents.decided"
    OUTCOMES = "outcomes"
    SIGNED = "transactions.signed"
    STATE = "signer.state"
    REGISTRY = "registry"
    KEY_REQUESTS = "keys.requests"
    VAULT = "vault"
    HEADS = "ledger.heads"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic is made and used; ``keyed`` topics are partitioned by account."""

    writer: str
    retention_ms: int
    value_bytes_max: int = INTERNAL_BYTES_MAX
    keyed: bool = True
    compacted: bool = False
    in_ledger: bool = True


TOPICS: dict[Topic, TopicSpec] = {
    Topic.SUBMITTED: TopicSpec("producers", 7 * DAY_MS, SUBMITTED_BYTES_MAX),
    Topic.UNATTRIBUTED: TopicSpec("gates", 7 * DAY_MS, keyed=False),
    Topic.ADMITTED: TopicSpec("gates", 7 * DAY_MS),
    Topic.ALLOWLISTED: TopicSpec("gates", 7 * DAY_MS),
    Topic.CAPPED: TopicSpec("gates", 7 * DAY_MS),
    Topic.WITHIN_LIMIT: TopicSpec("gates", 7 * DAY_MS),
    Topic.CHAIN_CLEARED: TopicSpec("gates", 7 * DAY_MS),
    Topic.DECIDED: TopicSpec("gates", 7 * DAY_MS),
    Topic.OUTCOMES: TopicSpec("signer", 30 * DAY_MS),
    Topic.SIGNED: TopicSpec("signer", 30 * DAY_MS),
    Topic.STATE: TopicSpec("signer", FOR_EVER, compacted=True, in_ledger=False),
    Topic.REGISTRY: TopicSpec("operators", FOR_EVER, keyed=False),
    Topic.KEY_REQUESTS: TopicSpec("operators", FOR_EVER),
    Topic.VAULT: TopicSpec("signer", FOR_EVER),
    Topic.HEADS: TopicSpec("ledger", FOR_EVER, in_ledger=False, keyed=False),
    Topic.AUDIT: TopicSpec("every process", 90 * DAY_MS, keyed=False),
}

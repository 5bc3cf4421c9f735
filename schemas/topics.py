"""The table of topics: writers, readers, keys and retention."""

from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 24 * 60 * 60 * 1000
RETAIN_FOREVER = -1
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
    REGISTRY_HEADS = "registry.heads"
    KEY_REQUESTS = "keys.requests"
    VAULT = "vault"
    BOOTS = "boots"
    HEADS = "ledger.heads"
    AUDIT = "audit"
    RELEASES = "releases"
    API_CALLS = "api.calls"


class Principal(StrEnum):
    """Identities on Kafka: one for each kind of process and user."""

    PRODUCERS = "producers"
    GATES = "gates"
    SIGNER = "signer"
    LEDGER = "ledger"
    REGISTRAR = "registrar"
    RELEASE = "release"
    CUSTODY = "custody"
    GATEWAY = "gateway"
    DESK = "desk"
    OPERATORS = "operators"
    CONSUMERS = "consumers"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """The properties of a topic; ``keyed`` topics are partitioned by account.

    The ledger reads every topic that is ``in_ledger``; ``also_read_by`` names the other readers.
    """

    writers: frozenset[Principal]
    also_read_by: frozenset[Principal]
    retention_ms: int
    value_bytes_max: int = INTERNAL_BYTES_MAX
    keyed: bool = True
    compacted: bool = False
    in_ledger: bool = True

    @property
    def readers(self) -> frozenset[Principal]:
        """Return the principals that may read the topic."""
        return self.also_read_by | (_LEDGER if self.in_ledger else frozenset())

    def used_by(self, principal: Principal) -> bool:
        """Return whether a principal may write or read the topic."""
        return principal in self.writers | self.readers

    def partitions(self, keyed_count: int) -> int:
        """Return the number of partitions, if keyed topics have ``keyed_count``."""
        return keyed_count if self.keyed else 1


_PRODUCERS = frozenset({Principal.PRODUCERS})
_GATES = frozenset({Principal.GATES})
_SIGNER = frozenset({Principal.SIGNER})
_LEDGER = frozenset({Principal.LEDGER})
_OPERATORS = frozenset({Principal.OPERATORS})
_CONSUMERS = frozenset({Principal.CONSUMERS})
_REGISTRAR = frozenset({Principal.REGISTRAR})
_RELEASE = frozenset({Principal.RELEASE})
_CUSTODY = frozenset({Principal.CUSTODY})
_GATEWAY = frozenset({Principal.GATEWAY})
_DESK = frozenset({Principal.DESK})
PROCESSES = _GATES | _SIGNER | _LEDGER | _REGISTRAR | _RELEASE | _CUSTODY | _GATEWAY | _DESK
_REGISTRY_READERS = _REGISTRAR | _GATES | _SIGNER | _CUSTODY | _GATEWAY | _DESK

TOPICS: dict[Topic, TopicSpec] = {
    Topic.SUBMITTED: TopicSpec(
        _PRODUCERS | _OPERATORS | _GATEWAY, _GATES | _GATEWAY, 7 * DAY_MS, SUBMITTED_BYTES_MAX
    ),
    Topic.UNATTRIBUTED: TopicSpec(
        _GATES, _OPERATORS | _CONSUMERS | _GATEWAY, 7 * DAY_MS, keyed=False
    ),
    Topic.ADMITTED: TopicSpec(_GATES, _GATES, 7 * DAY_MS),
    Topic.ALLOWLISTED: TopicSpec(_GATES, _GATES, 7 * DAY_MS),
    Topic.CAPPED: TopicSpec(_GATES, _GATES, 7 * DAY_MS),
    Topic.WITHIN_LIMIT: TopicSpec(_GATES, _GATES, 7 * DAY_MS),
    Topic.CHAIN_CLEARED: TopicSpec(_GATES, _GATES, 7 * DAY_MS),
    Topic.DECIDED: TopicSpec(_GATES, _SIGNER, 7 * DAY_MS),
    Topic.OUTCOMES: TopicSpec(_SIGNER, _GATES | _OPERATORS | _CONSUMERS | _GATEWAY, 30 * DAY_MS),
    Topic.SIGNED: TopicSpec(_SIGNER, _CONSUMERS | _OPERATORS | _GATEWAY, 30 * DAY_MS),
    Topic.STATE: TopicSpec(_SIGNER, _SIGNER, RETAIN_FOREVER, compacted=True, in_ledger=False),
    Topic.REGISTRY: TopicSpec(
        _OPERATORS | _DESK, _OPERATORS | _REGISTRY_READERS, RETAIN_FOREVER, keyed=False
    ),
    Topic.REGISTRY_HEADS: TopicSpec(
        _REGISTRAR,
        _OPERATORS | _REGISTRY_READERS,
        RETAIN_FOREVER,
        keyed=False,
        compacted=True,
        in_ledger=False,
    ),
    Topic.KEY_REQUESTS: TopicSpec(_OPERATORS | _DESK, _OPERATORS | _SIGNER, RETAIN_FOREVER),
    Topic.VAULT: TopicSpec(
        _SIGNER,
        _OPERATORS | _GATES | _SIGNER | _CUSTODY | _GATEWAY | _DESK,
        RETAIN_FOREVER,
    ),
    Topic.BOOTS: TopicSpec(
        _SIGNER, _OPERATORS | _CONSUMERS | _GATEWAY, RETAIN_FOREVER, keyed=False
    ),
    Topic.HEADS: TopicSpec(
        _LEDGER, _LEDGER | _OPERATORS, RETAIN_FOREVER, in_ledger=False, keyed=False
    ),
    Topic.AUDIT: TopicSpec(
        _GATES | _SIGNER | _CUSTODY, _OPERATORS | _GATEWAY | _DESK, 90 * DAY_MS, keyed=False
    ),
    Topic.RELEASES: TopicSpec(_RELEASE, _OPERATORS, 90 * DAY_MS, keyed=False),
    Topic.API_CALLS: TopicSpec(_GATEWAY, _OPERATORS, 90 * DAY_MS, keyed=False),
}

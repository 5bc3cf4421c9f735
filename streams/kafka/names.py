"""Kafka names: puts an organisation's prefix before its topics, groups, transactions and users.

Only this module and its callers in the adapter know the prefix. Events, ledger rows and everything
that is hashed carry the names of ``schemas.topics``, which are the same under every prefix.
"""

import re
from dataclasses import dataclass

from aiokafka import TopicPartition

from schemas.record import PartitionId
from schemas.topics import Principal, Topic

# X.509 gives a common name 64 characters (ub-common-name), and "<prefix>registrar" must be one.
# Topics need less: Kafka allows them 249.
PREFIX_CHARS_MAX = 64 - max(map(len, Principal))
# Groups and transactional ids begin with this; some rights cover every name that does.
RESERVED = "sixgate-"
_PREFIX = re.compile(r"([a-z0-9][a-z0-9._-]*[.-])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """Translates between Sixgate's names and Kafka's.

    Raises ``ValueError`` for a bad prefix, and for a topic under another one.
    """

    prefix: str = ""

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                "a prefix begins with a letter or digit, ends in '.' or '-', and has only the "
                "characters a-z, 0-9, '.', '_' and '-'"
            )
        if len(self.prefix) > PREFIX_CHARS_MAX:
            raise ValueError(f"a prefix has at most {PREFIX_CHARS_MAX} characters")
        if RESERVED in self.prefix:
            raise ValueError(
                f"a prefix must not contain {RESERVED!r}, which is reserved for groups and "
                "transactional ids"
            )

    def of(self, name: str) -> str:
        """Return what Kafka calls a topic, group, transactional id or member."""
        return self.prefix + name

    def topic(self, found: str) -> Topic:
        """Return the topic of a Kafka name; raise ``ValueError`` for another prefix."""
        if not found.startswith(self.prefix):
            raise ValueError(f"{found} does not begin with {self.prefix}")
        return Topic(found.removeprefix(self.prefix))

    def at(self, topic: Topic, partition: int) -> TopicPartition:
        """Return a topic's partition as aiokafka names it."""
        return TopicPartition(self.of(topic), partition)

    def partition_of(self, at: TopicPartition) -> PartitionId:
        """Return the topic and partition."""
        return self.topic(at.topic), at.partition

    def label(self, at: TopicPartition) -> str:
        """Return the metrics label of a partition, without the prefix."""
        return f"{self.topic(at.topic)}/{at.partition}"

    def topics_command(self, action: str, *, acls: bool = False) -> str:
        """Return the command that plans, applies or verifies these topics, or their rights."""
        prefix = f" --prefix {self.prefix}" if self.prefix else ""
        return f"sixgate topics {action}{prefix}{' --acls' if acls else ''}"

    def user(self, principal: Principal) -> str:
        """Return the principal in rights (``User:acme.gates``); ``of`` gives its common name."""
        return f"User:{self.of(principal)}"

"""Kafka names: puts an organisation's prefix before its topics, groups, transactions and users.

Only this module and its callers in the adapter know the prefix. Events, ledger rows and everything
that is hashed carry the names of ``schemas.topics``, which are the same under every prefix.
"""

import re
from dataclasses import dataclass

from aiokafka import TopicPartition

from schemas.record import Place
from schemas.topics import Principal, Topic

# X.509 gives a common name 64 characters (ub-common-name), and "<prefix>registrar" must be one.
# Topics need less: Kafka allows them 249.
PREFIX_CHARS_MAX = 64 - max(map(len, Principal))
# Groups and transactional ids of one organisation begin so, and some rights are on all that do.
RESERVED = "sixgate-"
_PREFIX = re.compile(r"([a-z0-9][a-z0-9._-]*[.-])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """Translates between names and what Kafka calls them; raises ``ValueError`` if it cannot."""

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
            raise ValueError(f"a prefix does not contain {RESERVED!r}, which begins Sixgate's own")

    def of(self, name: str) -> str:
        """Return what Kafka calls a topic, group, transactional id or member."""
        return self.prefix + name

    def topic(self, found: str) -> Topic:
        """Return the topic that Kafka calls ``found``; another organisation's is a mistake."""
        if not found.startswith(self.prefix):
            raise ValueError(f"{found} does not begin with {self.prefix}")
        return Topic(found.removeprefix(self.prefix))

    def at(self, topic: Topic, partition: int) -> TopicPartition:
        """Return a topic's partition as aiokafka names it."""
        return TopicPartition(self.of(topic), partition)

    def place(self, at: TopicPartition) -> Place:
        """Return which partition aiokafka names."""
        return self.topic(at.topic), at.partition

    def told(self, at: TopicPartition) -> str:
        """Return a partition as metrics name it: alike under every prefix."""
        return f"{self.topic(at.topic)}/{at.partition}"

    def user(self, principal: Principal) -> str:
        """Return a principal as rights name it; ``of`` is its certificate's common name."""
        return f"User:{self.of(principal)}"

"""Plans, applies and verifies Kafka topics and rights.

Applying is idempotent. *If the process ends between two changes, the next ``apply`` makes the
missing ones.*
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from streams.kafka.access import MissingAcl, SurplusAcl, declared_acls, diff_acls
from streams.kafka.broker import Broker
from streams.kafka.changes import ChangingAdmin
from streams.kafka.differences import topic_differences
from streams.kafka.errors import KafkaBusError
from streams.kafka.names import Names
from streams.kafka.topics import (
    Difference,
    ImmutableDifference,
    MissingTopic,
    Replication,
    WrongSetting,
)

D = TypeVar("D")
SETTLE_S_MAX = 15.0
_POLL_S = 0.1


class KafkaUnrepairableError(KafkaBusError):
    """A difference cannot be changed, because existing records depend on it."""


class KafkaNotAppliedError(KafkaBusError):
    """Kafka accepted the changes but does not report them."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """The topics of an organisation with ``partitions`` partitions for keyed topics."""

    partitions: int
    replication: Replication

    async def differences(self, broker: Broker) -> list[Difference]:
        """Return the differences from the declared topics; raises ``KafkaBusError``."""
        async with ChangingAdmin(broker) as admin:
            return await self._differences(admin)

    async def apply(self, broker: Broker) -> list[Difference]:
        """Create missing topics, correct wrong settings, and return the differences.

        Changes nothing and raises ``KafkaUnrepairableError`` if one of them cannot be changed.
        """
        async with ChangingAdmin(broker) as admin:
            differences = await self._differences(admin)
            _refuse_immutable(differences, broker.names)
            await _change_topics(admin, differences)
            await _wait_until_applied(lambda: self._differences(admin))
        return differences

    async def _differences(self, admin: ChangingAdmin) -> list[Difference]:
        return await topic_differences(admin, self.partitions, self.replication)


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """The rights of every principal."""

    async def differences(self, broker: Broker) -> list[MissingAcl | SurplusAcl]:
        """Return missing and surplus rights; raises ``KafkaBusError``."""
        async with ChangingAdmin(broker) as admin:
            return await self._differences(admin, broker.names)

    async def apply(self, broker: Broker) -> list[MissingAcl | SurplusAcl]:
        """Remove surplus rights, add missing ones, and return the differences."""
        async with ChangingAdmin(broker) as admin:
            differences = await self._differences(admin, broker.names)
            # Surplus first: if this fails half-way, there are too few rights rather than too many.
            if surplus := [one.acl for one in differences if isinstance(one, SurplusAcl)]:
                await admin.delete_acls(surplus)
            if missing := [one.acl for one in differences if isinstance(one, MissingAcl)]:
                await admin.create_acls(missing)
            await _wait_until_applied(lambda: self._differences(admin, broker.names))
        return differences

    async def _differences(
        self, admin: ChangingAdmin, names: Names
    ) -> list[MissingAcl | SurplusAcl]:
        return diff_acls(declared_acls(names), await admin.acls(), names)


def _refuse_immutable(differences: Sequence[Difference], names: Names) -> None:
    immutable = [one for one in differences if isinstance(one, ImmutableDifference)]
    if immutable:
        topics = ", ".join(dict.fromkeys(one.topic for one in immutable))
        raise KafkaUnrepairableError(
            f"Nothing was changed: {immutable[0]}. "
            f"Run {names.topics_command('plan')} to see all differences of: {topics}."
        )


async def _change_topics(admin: ChangingAdmin, differences: Sequence[Difference]) -> None:
    if missing := [one.topic for one in differences if isinstance(one, MissingTopic)]:
        await admin.create_topics(missing)
    settings: dict[str, dict[str, str]] = {}
    for one in differences:
        if isinstance(one, WrongSetting):
            settings.setdefault(one.topic, {})[one.setting] = one.declared
    if settings:
        await admin.alter_topics(settings)


async def _wait_until_applied(differences: Callable[[], Awaitable[Sequence[D]]]) -> None:
    """Wait until brokers report every change: they follow their controller with a delay."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_S_MAX
    while left := await differences():
        if loop.time() > until:
            raise KafkaNotAppliedError(f"Kafka accepted the changes but still reports: {left[0]}.")
        await asyncio.sleep(_POLL_S)

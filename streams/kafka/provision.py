"""Plans, applies and verifies Kafka topics and rights.

Applying is idempotent. *If the process ends between two changes, the next ``apply`` makes the
missing ones.*
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from schemas.topics import Principal, Topic
from streams.kafka.access import MissingAcl, SurplusAcl, declared_acls, diff_acls
from streams.kafka.admin import Admin
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaBusError, KafkaDeniedError, missing
from streams.kafka.names import Names
from streams.kafka.rights import (
    RightDifference,
    granted_differences,
    may_read_rights,
    own_differences,
)
from streams.kafka.topics import (
    Difference,
    ImmutableDifference,
    KafkaTopic,
    MissingTopic,
    Replication,
    WrongSetting,
    declared,
    diff,
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
    principal: Principal | None = None  # limits the plan to the topics of one process

    async def differences(self, broker: Broker) -> list[Difference]:
        """Return the differences from the declared topics; raises ``KafkaBusError``."""
        async with Admin(broker) as admin:
            return await self._differences(admin, broker.names)

    async def apply(self, broker: Broker) -> list[Difference]:
        """Create missing topics, correct wrong settings, and return the differences.

        Changes nothing and raises ``KafkaUnrepairableError`` if one of them cannot be changed.
        """
        async with Admin(broker) as admin:
            differences = await self._differences(admin, broker.names)
            _refuse_immutable(differences, broker.names)
            await _change_topics(admin, differences)
            await _wait_until_applied(lambda: self._differences(admin, broker.names))
        return differences

    async def _differences(self, admin: Admin, names: Names) -> list[Difference]:
        wanted = declared(self.partitions, self.replication, names, self.principal)
        return diff(wanted, await admin.topics(wanted))


async def keyed_partitions(broker: Broker) -> int:
    """Return the partition count of ``outcomes``; all keyed topics must have the same.

    Raises ``KafkaTopicMissingError``, ``KafkaBusError``.
    """
    asked = KafkaTopic(broker.names.of(Topic.OUTCOMES), 0, 0, {})
    async with Admin(broker) as admin:
        found = await admin.topics([asked])
    if asked.name not in found:
        raise missing(asked.name, broker.names.topics_command("apply"))
    return found[asked.name].partitions


async def rights_differences(broker: Broker, principal: Principal) -> list[RightDifference]:
    """Return the differences from the declared rights that concern ``principal``.

    Raises ``KafkaDeniedError`` if this connection has no rights at all, ``KafkaUnprotectedError``
    and ``KafkaBusError``.
    """
    names = broker.names
    async with Admin(broker) as admin:
        held = await admin.own_acls(names.user(principal), map(names.of, Topic))
        if not held:
            who = names.of(principal)
            raise KafkaDeniedError(
                f"This process has no right of {who} on Kafka: check that its "
                f"certificate is that of {who}, and run {names.topics_command('apply', acls=True)}."
            )
        given = await admin.acls() if may_read_rights(principal, held, names) else frozenset()
    own = own_differences(principal, held, names)
    return own or granted_differences(principal, given, names)


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """The rights of every principal."""

    async def differences(self, broker: Broker) -> list[MissingAcl | SurplusAcl]:
        """Return missing and surplus rights; raises ``KafkaBusError``."""
        async with Admin(broker) as admin:
            return await self._differences(admin, broker.names)

    async def apply(self, broker: Broker) -> list[MissingAcl | SurplusAcl]:
        """Remove surplus rights, add missing ones, and return the differences."""
        async with Admin(broker) as admin:
            differences = await self._differences(admin, broker.names)
            # Surplus first: if this fails half-way, there are too few rights rather than too many.
            if surplus := [one.acl for one in differences if isinstance(one, SurplusAcl)]:
                await admin.delete_acls(surplus)
            if missing := [one.acl for one in differences if isinstance(one, MissingAcl)]:
                await admin.create_acls(missing)
            await _wait_until_applied(lambda: self._differences(admin, broker.names))
        return differences

    async def _differences(self, admin: Admin, names: Names) -> list[MissingAcl | SurplusAcl]:
        return diff_acls(declared_acls(names), await admin.acls(), names)


def _refuse_immutable(differences: Sequence[Difference], names: Names) -> None:
    immutable = [one for one in differences if isinstance(one, ImmutableDifference)]
    if immutable:
        topics = ", ".join(dict.fromkeys(one.topic for one in immutable))
        raise KafkaUnrepairableError(
            f"Nothing was changed: {immutable[0]}. "
            f"Run {names.topics_command('plan')} to see all differences of: {topics}."
        )


async def _change_topics(admin: Admin, differences: Sequence[Difference]) -> None:
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

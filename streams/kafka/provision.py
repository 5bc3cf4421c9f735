"""Plans, applies and verifies topics and rights: asks Kafka, decides purely, changes."""

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
    """Something differs that cannot be changed while records depend on it."""


class KafkaNotAppliedError(KafkaBusError):
    """Kafka took the changes and does not show them."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """The topics of an organisation whose keyed topics have ``partitions`` partitions."""

    partitions: int
    replication: Replication
    principal: Principal | None = None  # a process asks for the topics it uses

    async def differences(self, broker: Broker) -> list[Difference]:
        """Return in what the topics are not as declared; raises ``KafkaBusError``."""
        async with Admin(broker) as admin:
            return await self._differences(admin, broker.names)

    async def apply(self, broker: Broker) -> list[Difference]:
        """Create what is missing, change what is weaker, and return what that was.

        Nothing is done where something cannot be changed: ``KafkaUnrepairableError`` says what.
        """
        async with Admin(broker) as admin:
            differences = await self._differences(admin, broker.names)
            _refuse_fixed(differences, broker.names)
            await _change_topics(admin, differences)
            await _settled(lambda: self._differences(admin, broker.names))
        return differences

    async def _differences(self, admin: Admin, names: Names) -> list[Difference]:
        wanted = declared(self.partitions, self.replication, names, self.principal)
        return diff(wanted, await admin.topics(wanted))


async def keyed_partitions(broker: Broker) -> int:
    """Return how many partitions ``outcomes`` has: other keyed topics must have as many.

    Raises ``KafkaTopicMissingError``, ``KafkaBusError``.
    """
    asked = KafkaTopic(broker.names.of(Topic.OUTCOMES), 0, 0, {})
    async with Admin(broker) as admin:
        found = await admin.topics([asked])
    if asked.name not in found:
        raise missing(asked.name, broker.names.topics_command("apply"))
    return found[asked.name].partitions


async def rights_differences(broker: Broker, principal: Principal) -> list[RightDifference]:
    """Return in what rights are not as declared, as far as it concerns who asks.

    Raises ``KafkaDeniedError`` where it has none at all, ``KafkaUnprotectedError``,
    ``KafkaBusError``.
    """
    names = broker.names
    async with Admin(broker) as admin:
        held = await admin.own_acls(names.user(principal), map(names.of, Topic))
        if not held:
            who = names.of(principal)
            raise KafkaDeniedError(
                f"Kafka lets this process do nothing that {who} must: see that its "
                f"certificate is that of {who}, and run {names.topics_command('apply', acls=True)}."
            )
        given = await admin.acls() if may_read_rights(principal, held, names) else frozenset()
    own = own_differences(principal, held, names)
    return own or granted_differences(principal, given, names)


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """The rights of every principal."""

    async def differences(self, broker: Broker) -> list[MissingAcl | SurplusAcl]:
        """Return the rights that are missing or too many; raises ``KafkaBusError``."""
        async with Admin(broker) as admin:
            return await self._differences(admin, broker.names)

    async def apply(self, broker: Broker) -> list[MissingAcl | SurplusAcl]:
        """Take what is too much, give what is missing, and return what that was."""
        async with Admin(broker) as admin:
            differences = await self._differences(admin, broker.names)
            if surplus := [one.acl for one in differences if isinstance(one, SurplusAcl)]:
                await admin.delete_acls(surplus)
            if missing := [one.acl for one in differences if isinstance(one, MissingAcl)]:
                await admin.create_acls(missing)
            await _settled(lambda: self._differences(admin, broker.names))
        return differences

    async def _differences(self, admin: Admin, names: Names) -> list[MissingAcl | SurplusAcl]:
        return diff_acls(declared_acls(names), await admin.acls(), names)


def _refuse_fixed(differences: Sequence[Difference], names: Names) -> None:
    fixed = [one for one in differences if isinstance(one, ImmutableDifference)]
    if fixed:
        topics = ", ".join(dict.fromkeys(one.topic for one in fixed))
        raise KafkaUnrepairableError(
            f"Nothing was changed: {fixed[0]}. "
            f"{names.topics_command('plan')} shows all of: {topics}."
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


async def _settled(differences: Callable[[], Awaitable[Sequence[D]]]) -> None:
    """Wait until every change is seen: brokers follow their controller with a delay."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE_S_MAX
    while left := await differences():
        if loop.time() > until:
            raise KafkaNotAppliedError(f"Kafka took the changes and still says: {left[0]}.")
        await asyncio.sleep(_POLL_S)

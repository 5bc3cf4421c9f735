"""A process refuses to start on topics that are weaker than declared."""

from schemas.topics import Principal
from sixgate.settings.sections import KafkaSettings
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaTopicMissing
from streams.kafka.provision import TopicPlan
from streams.kafka.topics import Replication


async def refuse_weaker(
    settings: KafkaSettings, broker: Broker, partitions: int, principal: Principal
) -> None:
    """Raise ``KafkaTopicMissing`` unless every topic of a principal is as declared.

    With ``insecure_dev`` nothing is asked.
    """
    if settings.insecure_dev:
        return
    plan = TopicPlan(partitions, Replication(settings.copies, settings.in_sync), principal)
    differences = await plan.differences(broker)
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise KafkaTopicMissing(
            f"{differences[0]}{more}: run sixgate topics apply, then start again."
        )

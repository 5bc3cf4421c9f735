"""Creates and deletes topics on a broker that a test froze or killed before; retries.

A thawed broker answers immediately, but its controller has fenced it and assigns no partition to it
until its next heartbeat.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

TAKEN_S_MAX = 60
AGAIN_S = 0.1
T = TypeVar("T")


async def create_topics(
    admin: AIOKafkaAdminClient, topics: Sequence[NewTopic], *, validate_only: bool = False
) -> None:
    """Create topics; fail if one exists already."""
    wanted = {topic.name: topic for topic in topics}
    done = {0}

    async def attempt() -> None:
        accepted = set(done)
        done.add(
            TopicAlreadyExistsError.errno
        )  # a broker that answers too late has created it, too
        new = list(wanted.values())
        answer = await admin.create_topics(new, validate_only=validate_only)
        codes = {name: code for name, code, *_ in answer.topic_errors}
        _drop(wanted, codes, accepted)

    await _until_done(attempt, lambda: not wanted)


async def remove_topics(admin: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    """Delete topics; a missing topic counts as deleted."""
    left = dict.fromkeys(names)

    async def attempt() -> None:
        answer = await admin.delete_topics(list(left))
        _drop(left, dict(answer.topic_error_codes), {0, UnknownTopicOrPartitionError.errno})

    await _until_done(attempt, lambda: not left)


async def await_unfenced(servers: str) -> None:
    """Wait until the controller can place a topic on the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await create_topics(admin, [NewTopic("unfenced", 1, 1)], validate_only=True)
    finally:
        await admin.close()


def _drop(topics: dict[str, T], codes: Mapping[str, int], done: Container[int]) -> None:
    """Remove the finished topics from the list; raise a refusal that no retry can fix."""
    for name, code in codes.items():
        if code in done:
            del topics[name]
        elif not _may_pass(kind := for_code(code)):
            raise kind(name)


def _may_pass(kind: type[KafkaError]) -> bool:
    """Return whether a retry can succeed; a fenced broker shows as too few brokers."""
    return kind.retriable or kind is InvalidReplicationFactorError


async def _until_done(attempt: Callable[[], Awaitable[None]], done: Callable[[], bool]) -> None:
    ends_at_s = time.monotonic() + TAKEN_S_MAX
    while True:
        with suppress(TimeoutError):
            try:
                await attempt()
            except KafkaError as error:
                if not _may_pass(type(error)):
                    raise
        if done():
            return
        assert time.monotonic() < ends_at_s, "the broker takes no topics"
        await asyncio.sleep(AGAIN_S)

"""Relay: the pipeline's peer, a chain of hops that each move the records they read.

python -m benchmarks.kafka.relay --servers S --hops 0-5 --ready FILE [--work DATA] [--faust]

Hop ``n`` moves records from topic ``relay.n`` to the next one, with plain aiokafka and without
committing positions, or with the gates' Faust agents. With ``--work`` it also does the work of the
pipeline's stage ``n``, without transactions.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.kafka import work
from sixgate.services.gc_tuning import tune
from streams.kafka.broker import Broker
from streams.runners.faust_agent import Message, add_agent
from streams.runners.faust_app import gates_app
from tools.local.processes import PARTITIONS

HOPS = 7
COUNT_MAX = 500
PREFIX = "relay"
Send: TypeAlias = Callable[[int, Sequence[work.Moved]], Awaitable[None]]


def topic_of(hop: int) -> str:
    return f"{PREFIX}.{hop}"


async def make_topics(broker: Broker) -> None:
    """Create the topics between hops, with the broker's timestamps like the pipeline's."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    stamped = {"message.timestamp.type": "LogAppendTime"}
    names = [topic_of(hop) for hop in range(HOPS + 1)]
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(name, PARTITIONS, 1, topic_configs=stamped) for name in names]
        )
    finally:
        await admin.close()


async def _relay(broker: Broker, hop: int, move: work.Move, send: Send) -> None:
    consumer: AIOKafkaConsumer = broker.consumer()
    async with consumer:
        places = [TopicPartition(topic_of(hop), n) for n in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_end(*places)
        while True:
            found = await consumer.getmany(timeout_ms=1_000, max_records=COUNT_MAX)
            messages = [message for some in found.values() for message in some]
            await send(hop + 1, move([work.record_of(hop, message) for message in messages]))


def _sender(producer: AIOKafkaProducer) -> Send:
    async def send(hop: int, moved: Sequence[work.Moved]) -> None:
        sent = [await producer.send(topic_of(hop), value, key, at) for key, value, at in moved]
        await asyncio.gather(*sent)

    return send


async def _plain(broker: Broker, hops: range, folder: Path | None, ready: Path) -> None:
    async with AsyncExitStack() as opened:
        producer = await opened.enter_async_context(broker.producer())
        moves = await work.moves(hops, broker, folder, opened)
        send = _sender(producer)
        async with asyncio.TaskGroup() as relays:
            for hop, move in moves.items():
                relays.create_task(_relay(broker, hop, move, send))
            await _signal_ready(ready)


async def _faust(broker: Broker, hops: range, ready: Path) -> None:
    async with AsyncExitStack() as opened:
        send = _sender(await opened.enter_async_context(broker.producer()))
        app = gates_app(broker, "bench-0", _end)
        for hop in hops:
            add_agent(app, topic_of(hop), f"hop-{hop}", _forwarder(hop, send), _end)
        opened.push_async_callback(app.stop)
        await app.start()
        await _signal_ready(ready)
        await asyncio.Event().wait()


async def _signal_ready(ready: Path) -> None:
    """Create the ready file after a second, in which the hops seek to the end of their topics."""
    await asyncio.sleep(1.0)
    await asyncio.to_thread(ready.touch)


def _forwarder(hop: int, send: Send) -> Callable[[Sequence[Message]], Awaitable[None]]:
    async def forward(messages: Sequence[Message]) -> None:
        moved = [work.Moved(m.key or b"", m.value or b"", m.partition) for m in messages]
        await send(hop + 1, moved)

    return forward


def _end(error: BaseException) -> NoReturn:
    raise SystemExit(str(error))


def main() -> None:
    """Relay until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--hops", required=True, metavar="0-5")
    parser.add_argument("--ready", type=Path, required=True)
    parser.add_argument("--work", type=Path, metavar="DATA")
    parser.add_argument("--faust", action="store_true")
    options = parser.parse_args()
    tune()
    first, _, last = options.hops.partition("-")
    hops, broker = range(int(first), int(last) + 1), Broker(options.servers, "sixgate-relay")
    running = _faust(broker, hops, options.ready) if options.faust else _plain(
        broker, hops, options.work, options.ready
    )  # fmt: skip
    asyncio.run(running)


if __name__ == "__main__":
    main()

"""A producer that survives outages: it retries what was not acknowledged."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from schemas.record import Outgoing
from schemas.topics import Topic
from streams.kafka.errors import KafkaBusError
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.scaled import Scaled

BURST = 12
PAUSE_S = 0.4
AGAIN_S = 0.2
JOIN_S_MAX = 180
DEAR_WEI = 25 * 10**16  # twenty of them reach the daily limit of the tests' policy
CHEAP_WEI = 10**9


@dataclass
class Load:
    """Sends bursts of intents, most of them good, until ``stop``.

    ``acknowledged`` has the idempotency keys that a broker acknowledged: none may get lost.
    """

    scaled: Scaled
    trader: Producer
    name: str
    acknowledged: set[str] = field(default_factory=set)
    _done: threading.Event = field(default_factory=threading.Event)

    def send(self) -> None:
        """Send until stopped; the last burst is completed."""
        number = 0
        while not self._done.wait(PAUSE_S):
            self._send_burst(number)
            number += 1

    def await_decided(self, bursts: int = 2) -> None:
        """Wait until some more bursts have their outcomes, so that the pipeline is busy."""
        wanted = len(self.scaled.contents().outcomes) + bursts * BURST
        self.scaled.settle(lambda found: len(found.outcomes) >= wanted)

    def stop(self) -> None:
        self._done.set()

    def _send_burst(self, number: int) -> None:
        keys = [f"{self.name}-{number}-{n}" for n in range(BURST)]
        values = [self._signed(n, key) for n, key in enumerate(keys)]
        # A producer that restarts repeats a request with another expiry: one payment.
        later_ms = self.trader.now_ms() + 700_000
        values.append(self.trader.signed(keys[1], value_wei=DEAR_WEI, expires_at_ms=later_ms))
        events = [Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values]
        while not self._sent(events):
            time.sleep(AGAIN_S)
        self.acknowledged.update(keys)

    def _sent(self, events: list[Outgoing]) -> bool:
        try:
            self.scaled.send(events)
        except KafkaBusError:
            return False
        return True

    def _signed(self, n: int, key: str) -> bytes:
        if n == 0:
            return self.trader.signed(key, to=STRANGER)
        return self.trader.signed(key, value_wei=DEAR_WEI if n == 1 else CHEAP_WEI)


@contextmanager
def under_load(scaled: Scaled, trader: Producer, name: str) -> Iterator[Load]:
    """Send intents during the block; at its end every intent sent is acknowledged."""
    load = Load(scaled, trader, name)
    thread = threading.Thread(target=load.send, name="load", daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join(JOIN_S_MAX)
    assert not thread.is_alive(), "the load could not be sent to its end"

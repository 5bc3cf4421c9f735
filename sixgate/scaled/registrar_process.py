"""The registrar as a process of its own: it says again and again how far the registry goes.

1. Read registry and heads to their end. 2. Sign the last record's number and digest, and the time,
unless an earlier head names a record that is not there. 3. Publish. A second registrar harms
nothing: under another name its heads stand beside the first one's, under the same name the younger
head counts, and both say the same.
"""

import asyncio
import logging
from collections.abc import Iterator

from schemas.record import Outgoing
from schemas.topics import Principal, Topic
from signer.freshness import next_head
from signer.signatures import Ed25519Signer
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder, FolderError
from sixgate.data_folder.key_files import load_key_file
from sixgate.scaled.monitor import Monitor
from sixgate.scaled.settings import Settings
from sixgate.scaled.start_checks import refuse_weaker
from streams.kafka.producer import Sender
from streams.kafka.reader import Waiting
from streams.kafka.registry_watch import RegistryWatch
from streams.runners.clock import SteadyClock

PROCESS = "registrar"
CLIENT = "sixgate-registrar"
EVERY_S = 5.0  # a head is worth 30 s, so four may fail
_LOG = logging.getLogger("sixgate.registrar")


class RegistrarProcess:
    """Signs the registry's head until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        """Open the registrar's key; raises ``FolderError``, ``KeyFileError``."""
        folder = Folder(settings.data)
        self._trust = folder.trust()
        self._kafka = settings.kafka
        self._key = _key(folder, settings.registrar.name)
        self._watch: RegistryWatch | None = None
        self.monitor = Monitor(PROCESS, self._waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Run; raises ``RegistryStaleError``, ``ClockError``, ``KafkaBusError``."""
        trust, broker = self._trust, self._kafka.broker(CLIENT)
        await refuse_weaker(self._kafka, broker, trust.partitions, Principal.REGISTRAR)
        clock = SteadyClock(wall_ms, boot_ms)
        watch = RegistryWatch(broker, trust.trust_root, wall_ms, _LOG.warning)
        async with watch, Sender(broker, lambda: trust.partitions) as sender:
            self._watch = watch
            self.monitor.show_head_age(watch.age_s)
            while not stop.is_set():
                await watch.read_to_end()
                head = next_head(self._key, watch.registry, watch.heads(), clock.now_ms())
                await sender.send([Outgoing(Topic.REGISTRY_HEADS, self._key.keyid, head)])
                self.monitor.ready()
                await _rest(watch, stop)

    def _waiting(self) -> Iterator[Waiting]:
        return self._watch.waiting() if self._watch else iter(())


async def _rest(watch: RegistryWatch, stop: asyncio.Event) -> None:
    """Read on until the next head is due, or somebody stops us."""
    ends_at_s = asyncio.get_running_loop().time() + EVERY_S
    while not stop.is_set() and asyncio.get_running_loop().time() < ends_at_s:
        await watch.read()


def _key(folder: Folder, name: str) -> Ed25519Signer:
    path = folder.key(name)
    if not path.exists():
        raise FolderError(
            f"{path} is missing: sixgate services add {name} makes it and registers it"
        )
    return load_key_file(path, name)

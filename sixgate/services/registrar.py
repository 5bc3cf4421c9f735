"""The registrar process: signs and publishes the registry head every few seconds.

1. Read the registry and all registry heads to their end.
2. Sign number and digest of the last record, and the time; halt if an earlier head names a record
   that was not read, because then records are being withheld. *If the process ends here, nothing
   was published.*
3. Publish. *If the process ends after it, the head stays valid for 30 s, time for a restart.*

A second registrar is harmless: under another name, its heads count separately; under the same name,
the newest head counts, and both sign heads of the same registry.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import ClassVar

from schemas.record import Outgoing
from schemas.topics import Principal, Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.data_folder.signer_files import FolderError
from sixgate.services.freshness import log_stale_head
from sixgate.services.monitor import Monitor
from sixgate.services.registry_heads import next_head
from sixgate.services.start_checks import check_declared
from streams.kafka.producer import Sender
from streams.kafka.reader import PartitionLag
from streams.kafka.registry_watch import RegistryWatch
from streams.runners.clock import SteadyClock

_LOG = logging.getLogger("sixgate.registrar")
CLIENT = "sixgate-registrar"
HEAD_INTERVAL_S = 5.0  # a head is valid for 30 s, so up to 25 s without a head are harmless


class RegistrarProcess:
    """Signs registry heads until it is stopped."""

    role: ClassVar[str] = "registrar"

    def __init__(self, settings: Settings) -> None:
        """Open the registrar's key; raises ``FolderError``, ``KeyFileError``."""
        folder = Folder(settings.data)
        self._trust = folder.trust()
        self._kafka = settings.kafka
        self._key = _key(folder, settings.registrar.name)
        self._watch: RegistryWatch | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Run; raises ``RegistryStaleError``, ``ClockError``, ``KafkaBusError``."""
        trust, broker = self._trust, self._kafka.broker(CLIENT)
        await check_declared(self._kafka, broker, trust.partitions, Principal.REGISTRAR)
        clock = SteadyClock(wall_ms, boot_ms)
        watch = RegistryWatch(broker, trust.trust_root, wall_ms, log_stale_head)
        async with watch, Sender(broker, lambda: trust.partitions) as sender:
            self._watch = watch
            self.monitor.show_head_age(watch.age_s)
            while not stop.is_set():
                # 1. and 2. If the process ends before 3, nothing was published.
                await watch.read_to_end()
                head = next_head(self._key, watch.registry, watch.heads(), clock.now_ms())
                # 3. If the answer is lost, the process ends; publishing a head twice is harmless.
                await sender.send([Outgoing(Topic.REGISTRY_HEADS, self._key.keyid, head)])
                _LOG.debug("registry.head_signed", extra={"records": watch.registry.record_count})
                self.monitor.ready()
                await _read_until_due(watch, stop)

    def _lag(self) -> Iterator[PartitionLag]:
        return self._watch.lag() if self._watch else iter(())


async def _read_until_due(watch: RegistryWatch, stop: asyncio.Event) -> None:
    """Read on until the next head is due or ``stop`` is set."""
    ends_at_s = asyncio.get_running_loop().time() + HEAD_INTERVAL_S
    while not stop.is_set() and asyncio.get_running_loop().time() < ends_at_s:
        await watch.read()


def _key(folder: Folder, name: str) -> Ed25519Signer:
    path = folder.key(name)
    if not path.exists():
        raise FolderError(
            f"{path} is missing: run sixgate services add {name}, which makes and registers it"
        )
    return load_key_file(path, name)

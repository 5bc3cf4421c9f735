"""``sixgate desk``: the process that signs what people change through the HTTP API.

It has one key, of an admin whose scope the registry bounds, and serves only the clients that its
settings name. It keeps no state: every record that it signed is in the registry or on
``keys.requests``. Its log has a line for each, with the client.

1. Open the key. Memory is protected against other processes of this user before that.
2. Follow registry heads, and wait for a fresh one; read registry and vaults to their end.
3. Serve, until the process is stopped, the registry is stale, or the result of a write is unknown.
   *If the process ends in a call, the record may have taken effect; the client is told so.*
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import ClassVar

from schemas.topics import INTERNAL_BYTES_MAX, Principal
from signer.core.registry.registry import Registry
from sixgate.api.errors import reporting
from sixgate.backends.kafka.backend import KafkaAdminister
from sixgate.backends.kafka.bus import Bus
from sixgate.clocks import wall_ms
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import DESK, Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.data_folder.signer_files import FolderError
from sixgate.desk.service import DESK_CALLS, DeskService
from sixgate.remote_calls.calls_app import CallsApp
from sixgate.remote_calls.process_server import listen_config, serving_clients
from sixgate.remote_calls.replies import Caller
from sixgate.services.first_failure import FirstFailure
from sixgate.services.freshness import Freshness
from sixgate.services.monitor import Monitor
from sixgate.services.process import protect_memory
from sixgate.services.start_checks import check_declared
from streams.kafka.reader import PartitionLag

SECTION = "desk"
CLIENT = "sixgate-desk"
ANSWER_S_MAX = 20.0
CALL_BYTES_MAX = 2 * INTERNAL_BYTES_MAX  # a record in base64
_LOG = logging.getLogger("sixgate.desk")


class DeskProcess:
    """Signs until it is stopped or fails."""

    role: ClassVar[str] = "desk"

    def __init__(self, settings: Settings) -> None:
        """Open the key; raises ``FolderError``, ``KeyFileError``, ``SettingsError``."""
        # 1.
        protect_memory()
        folder = Folder(settings.data)
        self._settings, self._trust = settings, folder.trust()
        self._key = load_key_file(settings.desk.key or folder.key(DESK), DESK)
        self._listen_config = listen_config(SECTION, settings.desk, _LOG)
        self._bus: Bus | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; raise the error that ends the process."""
        settings, trust = self._settings, self._trust
        broker = settings.kafka.broker(CLIENT)
        await check_declared(settings.kafka, broker, trust.partitions, Principal.DESK)
        failure = FirstFailure()
        async with AsyncExitStack() as opened:
            # 2.
            fresh = Freshness(broker, trust.trust_root, self.monitor, settings.desk)
            await opened.enter_async_context(fresh)
            await fresh.head(stop)
            # The bus blocks, so it is opened and closed in another thread.
            parts = ExitStack()
            opened.push_async_callback(asyncio.to_thread, parts.close)
            bus = await asyncio.to_thread(Bus, broker, trust.trust_root, failure)
            self._bus = parts.enter_context(bus)
            self._check_registered(bus)
            # 3.
            app, at = self._app(bus, failure), self._listen_config
            async with serving_clients(app, at, CALL_BYTES_MAX):
                _LOG.info("desk.serving", extra={"address": at.address})
                self.monitor.ready()
                await failure.wait(stop, fresh.follow(partial(_registry, bus), stop))

    def _app(self, bus: Bus, failure: FirstFailure) -> CallsApp[DeskService]:
        administer = KafkaAdminister(bus, ANSWER_S_MAX)

        def service_of(caller: Caller) -> DeskService:
            client = caller.certificate_name or caller.address
            return DeskService(administer, self._key, wall_ms, client)

        return CallsApp(DESK_CALLS, service_of, reporting(failure))

    def _check_registered(self, bus: Bus) -> None:
        scope = bus.registry.scoped_admins.get(DESK)
        if scope is None or not scope.active or scope.public_key != self._key.public_key:
            raise FolderError(
                f"the registry has no active scoped admin {DESK} with this key: run sixgate people "
                "add NAME --config FILE, or restore the key"
            )

    def _lag(self) -> Iterator[PartitionLag]:
        return self._bus.lag() if self._bus else iter(())


def _registry(bus: Bus) -> Registry:
    bus.refresh()
    return bus.registry

"""``sixgate custody``: the process that serves secrets, except signing keys, to agents.

1. Open the key holders; the process itself has no key.
2. Read registry and vault to their end.
3. Serve reads. Each is decided by the newest registry, and recorded on ``audit`` before its answer.
   *If the process ends here, a read may be recorded without an answer, but is never answered
   without a record.*

The process ends if the outcome of a write is unknown, or the registry is stale.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import ClassVar

from schemas.topics import Principal
from signer.custody.kms.journal import KmsJournal
from signer.keys.custody_records import CustodyRecords
from signer.keys.vaults.secret_sealing import SecretSealing
from signer.secrets.secret_service import SecretService
from sixgate.backends.kafka.appender import Appender, sending
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.process_settings import Settings
from sixgate.custody.key_holders import open_custody_holders
from sixgate.custody.projections import KafkaReadEnvironment
from sixgate.custody.reading import new_secret_service
from sixgate.custody.serving import REQUEST_BYTES_MAX, custody_app
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.logs import log_kms_call
from sixgate.remote_calls.process_server import listen_config, serving_clients
from sixgate.services.first_failure import FirstFailure
from sixgate.services.freshness import Freshness
from sixgate.services.monitor import Monitor
from sixgate.services.process import protect_memory
from sixgate.services.start_checks import check_declared
from streams.kafka.projections import Projections
from streams.kafka.reader import PartitionLag
from streams.runners.clock import SteadyClock

SECTION = "custody"
CLIENT = "sixgate-custody"
POLL_S = 0.5
RUN_ID_BYTES = 16
_LOG = logging.getLogger("sixgate.custody")


class CustodyProcess:
    """Serves secrets until it is stopped or fails."""

    role: ClassVar[str] = "custody"

    def __init__(self, settings: Settings) -> None:
        """Open the key holders; raises ``FolderError``, ``CustodyError``, ``SettingsError``.

        Memory is protected against other processes of this user before the first key is read.
        """
        # 1.
        protect_memory()
        _refuse_releases(settings)
        folder = Folder(settings.data)
        self._settings, self._trust = settings, folder.trust()
        self._listen_config = listen_config(SECTION, settings.custody, _LOG)
        journal = KmsJournal(wall_ms, log_kms_call)
        self._holders = open_custody_holders(folder, settings.kms, journal)
        run_id = secrets.token_hex(RUN_ID_BYTES)
        self._records = CustodyRecords(settings.custody.name, run_id, journal)
        self._projections: Projections | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; raise the error that ends the process."""
        kafka, trust = self._settings.kafka, self._trust
        broker = kafka.broker(CLIENT)
        await check_declared(kafka, broker, trust.partitions, Principal.CUSTODY)
        async with AsyncExitStack() as opened:
            # 2.
            fresh = Freshness(broker, trust.trust_root, self.monitor, self._settings.custody)
            await opened.enter_async_context(fresh)
            projections = Projections(broker, trust.trust_root, wall_ms)
            self._projections = await opened.enter_async_context(projections)
            sender = await opened.enter_async_context(sending(broker, lambda: trust.partitions))
            await fresh.head(stop)
            appender = Appender(sender, asyncio.get_running_loop(), "an access to a secret")
            clock = SteadyClock(wall_ms, boot_ms)
            environment = KafkaReadEnvironment(
                projections, fresh, appender, self._records, self.monitor, clock.now_ms
            )
            await self._serve(environment, self._secret_service(projections), stop)

    async def _serve(
        self,
        environment: KafkaReadEnvironment,
        service: SecretService,
        stop: asyncio.Event,
    ) -> None:
        """Serve until ``stop`` is set or a task fails; finish running requests first (step 3)."""
        failure = FirstFailure()
        # 3.
        gateways = self._settings.custody.gateways
        app, at = custody_app(environment, service, failure, gateways), self._listen_config
        async with serving_clients(app, at, REQUEST_BYTES_MAX), _polling(environment, failure):
            _LOG.info("custody.serving", extra={"address": at.address})
            self.monitor.ready()
            await failure.wait(stop)
        await asyncio.to_thread(environment.flush_records)

    def _secret_service(self, projections: Projections) -> SecretService:
        registry, vault = projections.view.registry, projections.vault
        sealing = SecretSealing(registry, vault.secrets, self._holders, secrets.token_bytes)
        return new_secret_service(registry, vault.keys, sealing)

    def _lag(self) -> Iterator[PartitionLag]:
        return self._projections.lag() if self._projections else iter(())


@asynccontextmanager
async def _polling(
    environment: KafkaReadEnvironment, failed: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """Poll between requests, so that requests wait less and faults are detected without them."""
    ended = asyncio.Event()

    async def poll() -> None:
        try:
            while not ended.is_set():
                await asyncio.to_thread(environment.poll)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await ended.wait()
        except Exception as error:  # noqa: BLE001 - any error must end the process
            failed(error)

    polling = asyncio.create_task(poll())
    try:
        yield
    finally:
        ended.set()
        await polling


def _refuse_releases(settings: Settings) -> None:
    if settings.releases is not None:
        raise SettingsError(
            "custody uses KMSs, and the keys of [releases] are only for attested signers: give "
            "custody a separate settings file with [kms]"
        )

"""``sixgate custody``: secrets that are no signing keys, served by a process of its own.

1. Open the holders of keys; it has no key of its own. 2. Read registry and vault to their end.
3. Serve reads, each of which is decided by all that is registered then, and on the topic ``audit``
before it is answered. A write whose fate is unknown, and a registry that is stale, end the process.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar

from schemas.topics import Principal
from signer.custody.kms.journal import KmsJournal
from signer.custody.process import forbid_inspection
from signer.custody_records import CustodyRecords
from signer.vaults.secret_sealing import SecretSealing
from signer.vaults.secret_service import SecretService
from sixgate.clocks import boot_ms, wall_ms
from sixgate.custody.key_holders import open_custody_holders
from sixgate.custody.projections import KafkaReadEnvironment
from sixgate.custody.reading import desk, read, reading_key
from sixgate.custody.serving import CustodyServer
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.https.server import REQUESTS_MAX, ListenConfig
from sixgate.https.tls import server_context
from sixgate.logs import log_kms_call
from sixgate.scaled.appender import Appender, sending
from sixgate.scaled.freshness import Freshness
from sixgate.scaled.monitor import Monitor
from sixgate.scaled.process import lock_memory_or_warn
from sixgate.scaled.settings import Settings
from sixgate.scaled.start_checks import check_declared
from sixgate.settings.custody import CustodySettings
from streams.kafka.projections import Projections
from streams.kafka.reader import PartitionLag
from streams.runners.clock import SteadyClock

SECTION = "custody"
CLIENT = "sixgate-custody"
KEEP_UP_S = 0.5
LIFE_BYTES = 16
_LOG = logging.getLogger("sixgate.custody")


class CustodyProcess:
    """Serves secrets until it is stopped."""

    role: ClassVar[str] = "custody"

    def __init__(self, settings: Settings) -> None:
        """Open who holds keys; raises ``FolderError``, ``CustodyError``, ``SettingsError``.

        From before the first one is read, no other process of this user may look into this one.
        """
        forbid_inspection()
        lock_memory_or_warn()
        _refuse_releases(settings)
        folder = Folder(settings.data)
        self._settings, self._trust = settings, folder.trust()
        self._listening = _listening(settings.custody)
        journal = KmsJournal(wall_ms, log_kms_call)
        self._holders = open_custody_holders(folder, settings.kms, journal)
        run_id = secrets.token_hex(LIFE_BYTES)
        self._records = CustodyRecords(settings.custody.name, run_id, journal)
        self._known: Projections | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Raise what ends the process."""
        kafka, trust = self._settings.kafka, self._trust
        broker = kafka.broker(CLIENT)
        await check_declared(kafka, broker, trust.partitions, Principal.CUSTODY)
        async with AsyncExitStack() as opened:
            fresh = Freshness(broker, trust.trust_root, self.monitor, self._settings.custody)
            await opened.enter_async_context(fresh)
            known = Projections(broker, trust.trust_root, wall_ms)
            self._known = await opened.enter_async_context(known)
            sender = await opened.enter_async_context(sending(broker, lambda: trust.partitions))
            await fresh.head(stop)
            appender = Appender(sender, asyncio.get_running_loop(), "an access to a secret")
            clock = SteadyClock(wall_ms, boot_ms)
            here = KafkaReadEnvironment(
                known, fresh, appender, self._records, self.monitor, clock.now_ms
            )
            await self._serve(here, self._desk(known), stop, opened)

    async def _serve(
        self,
        here: KafkaReadEnvironment,
        desk: SecretService,
        stop: asyncio.Event,
        opened: AsyncExitStack,
    ) -> None:
        """Serve until ``stop`` is set or something fails; what is under way is answered before."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_exception(error)

        threads = ThreadPoolExecutor(REQUESTS_MAX, thread_name_prefix="custody")
        opened.push_async_callback(asyncio.to_thread, threads.shutdown)
        answer = partial(read, here, desk)
        server = CustodyServer(reading_key(desk), answer, self._listening, threads, fail)
        async with server.serving(), _keeping_up(here, fail):
            self.monitor.ready()
            await _either(stop, failed)
        await asyncio.to_thread(here.settle)

    def _desk(self, known: Projections) -> SecretService:
        registry, said = known.view.registry, known.vault
        keeper = SecretSealing(registry, said.secrets, self._holders, secrets.token_bytes)
        return desk(registry, said.keys, keeper)

    def _lag(self) -> Iterator[PartitionLag]:
        return self._known.lag() if self._known else iter(())


@asynccontextmanager
async def _keeping_up(
    here: KafkaReadEnvironment, failed: Callable[[BaseException], None]
) -> AsyncIterator[None]:
    """Read on when nobody asks, so that who asks waits for little and a fault shows itself."""
    ended = asyncio.Event()

    async def keep_up() -> None:
        try:
            while not ended.is_set():
                await asyncio.to_thread(here.keep_up)
                with suppress(TimeoutError):
                    async with asyncio.timeout(KEEP_UP_S):
                        await ended.wait()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end the process
            failed(error)

    keeping = asyncio.create_task(keep_up())
    try:
        yield
    finally:
        ended.set()
        await keeping


async def _either(stop: asyncio.Event, failed: "asyncio.Future[None]") -> None:
    """Wait until somebody stops us; raise what failed, if that comes first."""
    stopping = asyncio.create_task(stop.wait())
    either: set[asyncio.Future[Any]] = {stopping, failed}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if failed.done():
        failed.result()


def _refuse_releases(settings: Settings) -> None:
    if settings.releases is not None:
        raise SettingsError(
            "custody asks KMSs, and [releases] holds keys for attested signers alone: give it "
            "settings of its own with [kms]"
        )


def _listening(custody: CustodySettings) -> ListenConfig:
    tls = server_context(custody.tls, SECTION) if custody.tls else None
    if tls is None:
        _LOG.warning("tls.absent", extra={"detail": "any client that reaches the port can connect"})
    return ListenConfig(SECTION, custody.host, custody.port, tls, frozenset(custody.clients))

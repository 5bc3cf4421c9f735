"""``sixgate gateway``: the process that serves the HTTP API and MCP over a pipeline on Kafka.

1. Follow registry heads, and wait for a fresh one.
2. Open the ports: read registry, vaults and accounts to their end, and follow them.
3. Open the gateway's files. Intents with an idempotency key whose end is unknown are submitted
   again; *if the process ended between storing and appending one, it is appended now; the signer
   drops the ones that it had received.*
4. Serve, until the process is stopped, the registry is stale, or the result of a write is unknown:
   then only a new start (step 3) can find out, so the process ends.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from functools import partial
from shutil import disk_usage
from typing import ClassVar

from schemas.topics import Principal
from signer.core.registry.registry import Registry
from sixgate.api_error import ApiError
from sixgate.backends.kafka.backend import following_backend
from sixgate.backends.ports import Backend, Read
from sixgate.clocks import wall_ms
from sixgate.config.internal_servers import DeskAddress
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import DESK, GATEWAY, Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.data_folder.signer_files import FolderError
from sixgate.desk.desk import AdminDesk, Desk, NoDesk
from sixgate.desk.link import DeskApi
from sixgate.desk.unsigned import Unsigned
from sixgate.errors import SettingsError
from sixgate.gateway.composition import Pipeline, gateway_services, serving_gateway
from sixgate.gateway.transactions import Transactions
from sixgate.intents.intake import Intake
from sixgate.services.first_failure import FirstFailure
from sixgate.services.freshness import Freshness
from sixgate.services.monitor import Monitor
from sixgate.services.start_checks import check_declared
from streams.kafka.reader import PartitionLag

CLIENT = "sixgate-gateway"


class GatewayProcess:
    """Serves the HTTP API until it is stopped or fails."""

    role: ClassVar[str] = "gateway"

    def __init__(self, settings: Settings) -> None:
        """Check the key files; raises ``FolderError``, ``KeyFileError``."""
        self._settings = settings
        self._folder = Folder(settings.data)
        self._trust = self._folder.trust()
        self._key = load_key_file(self._folder.key(GATEWAY), GATEWAY)
        self._transactions: Transactions | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; raise the error that ends the process."""
        settings, trust = self._settings, self._trust
        broker = settings.kafka.broker(CLIENT)
        await check_declared(settings.kafka, broker, trust.partitions, Principal.GATEWAY)
        failure = FirstFailure()
        async with AsyncExitStack() as opened:
            # 1.
            fresh = Freshness(broker, trust.trust_root, self.monitor, settings.gateway)
            await opened.enter_async_context(fresh)
            await fresh.head(stop)
            # 2. to 4. The ports block, so they are opened and closed in another thread.
            parts = ExitStack()
            opened.push_async_callback(asyncio.to_thread, parts.close)
            backend = await asyncio.to_thread(self._serve, parts, failure)
            self.monitor.ready()
            await failure.wait(stop, fresh.follow(partial(_registry, backend.read), stop))

    def _serve(self, parts: ExitStack, failure: FirstFailure) -> Backend:
        """Open everything and serve; return the ports."""
        settings = self._settings
        # 2.
        backend = parts.enter_context(following_backend(settings, self._folder, failure))
        registered = backend.read.registered
        self._check_registered(registered)
        # 3.
        account = _account(registered, settings)
        desk = _desk(backend, settings.desk_at, parts)
        intake = Intake(settings.intake, partial(disk_usage, self._folder.path))
        pipeline = Pipeline(backend, desk, account, intake, follow=True)
        sections = settings.api, settings.chains, settings.webhooks
        services = parts.enter_context(gateway_services(self._folder, pipeline, *sections))
        self._transactions = services.transactions
        # 4.
        parts.enter_context(serving_gateway(services, settings.api))
        return backend

    def _check_registered(self, registered: Registry) -> None:
        """Refuse a key that the registry does not know: the signer would refuse every intent."""
        if registered.service_key("gateway", GATEWAY) != self._key.public_key:
            raise FolderError(
                f"the registry has no active gateway {GATEWAY} with the key of "
                f"{self._folder.key(GATEWAY)}: run sixgate people add NAME --config FILE, or "
                "restore the key"
            )

    def _lag(self) -> Iterator[PartitionLag]:
        if self._transactions:
            with suppress(ApiError):  # Kafka does not answer; each read says so
                yield from (PartitionLag(*found) for found in self._transactions.lag())


def _desk(backend: Backend, address: DeskAddress | None, parts: ExitStack) -> Desk:
    if address is None:
        return NoDesk()
    api = DeskApi(backend, address)
    parts.callback(api.close)
    return AdminDesk(api, Unsigned(), wall_ms)


def _account(registered: Registry, settings: Settings) -> str:
    """Return the account of the agents that people create."""
    scope = registered.scoped_admins.get(DESK)
    named = settings.gateway.account or (scope.accounts[0] if scope else None)
    if named is None and len(registered.accounts) == 1:
        (named,) = registered.accounts
    if named is None or named not in registered.accounts:
        known = ", ".join(sorted(registered.accounts))
        raise SettingsError(f"set account in the section [gateway] to one of {known}")
    return named


def _registry(read: Read) -> Registry:
    read.refresh()
    return read.registered

"""Serves one of Sixgate's own processes to the others: over mutual TLS, to known clients only."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from sixgate.api.exchange import App
from sixgate.api.server import Listen, Tcp, serving
from sixgate.config.internal_servers import MutualTlsServer
from sixgate.config.limits import Limits
from sixgate.config.release import ReleaseSettings
from sixgate.remote_calls.mutual_tls import server_context
from sixgate.remote_calls.replies import only_clients

LIMITS = Limits(
    head_s_max=5, body_s_max=5, idle_s_max=30, connections_max=64, requests_max=32, stop_s_max=10
)


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """Listen address; with ``tls``, ``clients`` are the accepted common names of certificates.

    ``section`` is the section of the settings, for error messages.
    """

    section: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    clients: frozenset[str]

    @property
    def address(self) -> str:
        """The address, for logs."""
        return f"{self.host}:{self.port}"


def listen_config(
    section: str, settings: MutualTlsServer | ReleaseSettings, log: logging.Logger
) -> ListenConfig:
    """Return where a process listens; warn if it does so without TLS. Raises ``SettingsError``."""
    tls = server_context(settings.tls, section) if settings.tls else None
    if tls is None:
        log.warning("tls.absent", extra={"detail": "any client that reaches the port can connect"})
    return ListenConfig(section, settings.host, settings.port, tls, frozenset(settings.clients))


@asynccontextmanager
async def serving_clients(
    app: App, at: ListenConfig, body_bytes_max: int, limits: Limits = LIMITS
) -> AsyncIterator[None]:
    """Serve until the block ends; pending requests are answered first. Raises ``SettingsError``.

    The caller's event loop keeps running meanwhile: answers may need it.
    """
    # The settings require TLS beyond loopback, unless they allow its absence.
    tcp = Tcp(host=at.host, port=at.port, tls=at.tls, insecure_dev=True)
    known = only_clients(app, at.clients) if at.tls else app
    bounded = limits.model_copy(update={"body_bytes_max": body_bytes_max})
    stack = ExitStack()
    try:
        listen = Listen(tcp=(tcp,), section=at.section)
        await asyncio.to_thread(stack.enter_context, serving(known, listen, bounded))
        yield
    finally:
        await asyncio.to_thread(stack.close)

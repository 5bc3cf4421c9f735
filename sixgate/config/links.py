"""Settings of a process that other processes call over mutual TLS, and of their links to it."""

from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.fields import Name
from sixgate.config.section import Section, loopback
from sixgate.config.sections import HeadSettings, TlsFiles

Port = Annotated[int, Field(ge=1, le=65_535)]
Clients = Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]
CallMs = Annotated[int, Field(ge=1, le=60_000)]


class MutualTlsServer(HeadSettings):
    """Listen address, and ``clients``: the accepted common names of client certificates.

    Beyond loopback it requires mutual TLS, unless ``insecure_dev``.
    """

    what: ClassVar[str]

    host: str = "127.0.0.1"
    port: Port
    tls: TlsFiles | None = None
    clients: Clients
    insecure_dev: bool = False

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.tls is None and not self.insecure_dev and not loopback(self.host):
            raise ValueError(f"{self.what} that other machines can reach needs mutual TLS: add tls")
        return self


class ServerAddress(Section):
    """URL of a process, and the client certificate."""

    what: ClassVar[str]

    url: str
    tls: TlsFiles | None = None
    call_ms_max: CallMs = 30_000

    @model_validator(mode="after")
    def _protected(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("url must be https://HOST:PORT or http://HOST:PORT")
        if (parts.scheme == "https") != (self.tls is not None):
            raise ValueError("url must be https if tls is given, and http otherwise")
        if parts.scheme == "http" and not loopback(parts.hostname):
            raise ValueError(
                f"{self.what} on another machine needs mutual TLS: make it https, add tls"
            )
        return self

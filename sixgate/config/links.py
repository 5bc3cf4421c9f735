"""Settings of links to other processes over mutual TLS."""

from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.fields import Name
from sixgate.config.section import Section, loopback
from sixgate.config.sections import TlsFiles

Port = Annotated[int, Field(ge=1, le=65_535)]
Clients = Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)]
CallMs = Annotated[int, Field(ge=1, le=60_000)]


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

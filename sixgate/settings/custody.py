"""Settings of ``sixgate custody`` (``[custody]``) and of its clients (``[custody_at]``)."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.fields import Name
from sixgate.settings.section import Section, loopback
from sixgate.settings.sections import HeadSettings, TlsFiles

CALL_MS_MAX = 60_000


class CustodySettings(HeadSettings):
    """Listen address, and ``clients``: the accepted common names of client certificates.

    ``name`` is the actor in its audit records. Beyond loopback it requires mutual TLS, unless
    ``insecure_dev``.
    """

    name: Name = "custody-0"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 9450
    tls: TlsFiles | None = None
    clients: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)] = ("operators",)
    insecure_dev: bool = False

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.tls is None and not self.insecure_dev and not loopback(self.host):
            raise ValueError("custody that other machines can reach needs mutual TLS: add tls")
        return self


class CustodyAddress(Section):
    """URL of custody, and the client certificate."""

    url: str
    tls: TlsFiles | None = None
    call_ms_max: Annotated[int, Field(ge=1, le=CALL_MS_MAX)] = 30_000

    @model_validator(mode="after")
    def _protected(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("url must be https://HOST:PORT or http://HOST:PORT")
        if (parts.scheme == "https") != (self.tls is not None):
            raise ValueError("url must be https if tls is given, and http otherwise")
        if parts.scheme == "http" and not loopback(parts.hostname):
            raise ValueError("custody on another machine needs mutual TLS: make it https, add tls")
        return self

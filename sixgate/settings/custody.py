"""What the process that serves secrets is told, ``[custody]``, and its askers, ``[custody_at]``."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.fields import Name
from sixgate.settings.section import Section, loopback
from sixgate.settings.sections import HeadSettings, TlsFiles

CALL_MS_MAX = 60_000


class CustodySettings(HeadSettings):
    """Where custody listens, and ``clients``: the common names of certificates that may ask.

    ``name`` is who speaks in its audit records. Beyond this machine it listens with mutual TLS
    alone, unless ``insecure_dev``.
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
            raise ValueError("a custody that other machines reach needs mutual TLS: add tls")
        return self


class CustodyAddress(Section):
    """Where custody is, and as whom to ask it."""

    url: str
    tls: TlsFiles | None = None
    call_ms_max: Annotated[int, Field(ge=1, le=CALL_MS_MAX)] = 30_000

    @model_validator(mode="after")
    def _protected(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("custody's url is https://HOST:PORT, or http://HOST:PORT")
        if (parts.scheme == "https") != (self.tls is not None):
            raise ValueError("custody's url is https where tls is given, and only there")
        if parts.scheme == "http" and not loopback(parts.hostname):
            raise ValueError("custody on another machine needs mutual TLS: make it https, add tls")
        return self

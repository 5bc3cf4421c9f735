"""Settings of the processes that others call over mutual TLS, and of the links to them.

``[custody]`` and its clients' ``[custody_at]``, ``[desk]`` and its client's ``[desk_at]``.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from schemas.fields import Name
from sixgate.config.links import Clients, Port, ServerAddress
from sixgate.config.section import loopback
from sixgate.config.sections import HeadSettings, TlsFiles


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


class CustodySettings(MutualTlsServer):
    """Where custody listens. ``name`` is the actor in its audit records.

    ``gateways`` are those clients that name the address of their own client, for these records.
    """

    what: ClassVar[str] = "custody"

    name: Name = "custody-0"
    port: Port = 9450
    clients: Clients = ("operators", "gateway")
    gateways: Annotated[tuple[Name, ...], Field(max_length=64)] = ("gateway",)


class CustodyAddress(ServerAddress):
    """URL of custody, and the client certificate."""

    what: ClassVar[str] = "custody"


class DeskSettings(MutualTlsServer):
    """Where the desk listens, and the file of its admin key; by default one of the data folder."""

    what: ClassVar[str] = "a desk"

    port: Port = 9460
    clients: Clients = ("gateway",)
    key: Path | None = None


class DeskAddress(ServerAddress):
    """URL of the desk, and the client certificate."""

    what: ClassVar[str] = "a desk"

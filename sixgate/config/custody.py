"""Settings of ``sixgate custody`` (``[custody]``) and of its clients (``[custody_at]``)."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.fields import Name
from sixgate.config.links import Clients, MutualTlsServer, Port, ServerAddress


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

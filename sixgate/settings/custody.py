"""Settings of ``sixgate custody`` (``[custody]``) and of its clients (``[custody_at]``)."""

from typing import ClassVar

from schemas.fields import Name
from sixgate.settings.links import Clients, MutualTlsServer, Port, ServerAddress


class CustodySettings(MutualTlsServer):
    """Where custody listens. ``name`` is the actor in its audit records."""

    what: ClassVar[str] = "custody"

    name: Name = "custody-0"
    port: Port = 9450
    clients: Clients = ("operators", "gateway")


class CustodyAddress(ServerAddress):
    """URL of custody, and the client certificate."""

    what: ClassVar[str] = "custody"

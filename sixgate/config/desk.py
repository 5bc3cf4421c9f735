"""Settings of ``sixgate desk`` (``[desk]``) and of the gateway, its client (``[desk_at]``)."""

from pathlib import Path
from typing import ClassVar

from sixgate.config.links import Clients, MutualTlsServer, Port, ServerAddress


class DeskSettings(MutualTlsServer):
    """Where the desk listens, and the file of its admin key; by default one of the data folder."""

    what: ClassVar[str] = "a desk"

    port: Port = 9460
    clients: Clients = ("gateway",)
    key: Path | None = None


class DeskAddress(ServerAddress):
    """URL of the desk, and the client certificate."""

    what: ClassVar[str] = "a desk"

"""Settings of the HTTP API: ``[api]``, ``[gateway]``, ``[chains]`` and ``[webhooks]``."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field

from schemas.fields import Name
from sixgate.config.limits import Limits
from sixgate.config.section import Section
from sixgate.config.sections import HeadSettings
from sixgate.config.tls import ServerTls
from sixgate.oidc.settings import OidcSettings

WAIT_S_MAX = 20.0
"""The documented client gives up after 30 seconds."""


class ApiSettings(Section):
    """Listen address, TLS and limits. Beyond loopback it requires TLS, unless ``insecure_dev``.

    With ``socket`` it listens on that Unix socket too, which only the process's own user can open.
    A submission is answered with its outcome, or as pending after ``wait_s_max``. With ``oidc``
    people log in with ID tokens of an OpenID Connect issuer.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8600
    socket: Path | None = None
    tls: ServerTls | None = None
    insecure_dev: bool = False
    wait_s_max: Annotated[float, Field(gt=0, le=WAIT_S_MAX)] = WAIT_S_MAX
    limits: Limits = Limits()
    oidc: OidcSettings | None = None


class GatewaySettings(HeadSettings):
    """The account of agents that people create; by default that of the desk, or the only one."""

    account: Name | None = None


class ChainsSettings(Section):
    """Whether people may register nodes at loopback and private addresses over HTTP."""

    private_urls: bool = False


class WebhookSettings(Section):
    """Private networks that webhooks may reach, such as ``10.1.0.0/16``, also by plain HTTP.

    Without them a webhook reaches public addresses only, by HTTPS.
    """

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()

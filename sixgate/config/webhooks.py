"""Settings of webhooks: ``[webhooks]``."""

from ipaddress import IPv4Network, IPv6Network

from sixgate.config.section import Section


class WebhookSettings(Section):
    """Private networks that webhooks may reach, such as ``10.1.0.0/16``, also by plain HTTP.

    Without them a webhook reaches public addresses only, by HTTPS.
    """

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()

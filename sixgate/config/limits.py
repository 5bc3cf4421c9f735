"""Limits of an HTTP server: ``[api.limits]``."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeAlias

from pydantic import Field

from sixgate.config.section import Section

Seconds: TypeAlias = Annotated[float, Field(gt=0, le=3_600)]
Network: TypeAlias = IPv4Network | IPv6Network

KIB = 1024
LOGIN_PATHS, LOGIN_BYTES_MAX = "/v1/auth/", 32 * KIB
"""Bodies that are parsed before their sender is authenticated; the largest has an ID token."""


class Rate(Section):
    """Requests per minute, and how many of them may come at the same time."""

    per_minute: Annotated[int, Field(ge=1, le=10**8)]
    burst: Annotated[int, Field(ge=1, le=10**8)]


class Limits(Section):
    """Limits of connections, requests and clients of the HTTP server.

    A request's head must be complete after ``head_s_max``, its body ``body_s_max`` later. A client
    must read part of a reply every ``write_s_max``. ``larger_bodies`` maps prefixes of paths to
    their own limit. ``ip_rate`` counts per client address before authentication, ``agent_rate`` and
    ``person_rate`` per agent and person after it. ``requests_max`` bounds the requests in progress,
    ``ip_requests_max`` those of one client address.

    A request has no principal until its token is verified, unless its client showed a certificate.
    Of one address ``ip_anonymous_max`` such requests may have bodies in progress, and the bodies
    must be complete after ``anonymous_body_s_max``.
    """

    head_s_max: Seconds = 10
    body_s_max: Seconds = 30
    anonymous_body_s_max: Seconds = 5
    write_s_max: Seconds = 30
    idle_s_max: Seconds = 75
    handshake_s_max: Seconds = 5
    stop_s_max: Seconds = 10
    head_bytes_max: Annotated[int, Field(ge=KIB, le=KIB * KIB)] = 16 * KIB
    body_bytes_max: Annotated[int, Field(ge=KIB)] = KIB * KIB
    larger_bodies: Mapping[str, int] = Field(default_factory=dict)
    connections_max: Annotated[int, Field(ge=1, le=1_000_000)] = 12_000
    requests_max: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    ip_requests_max: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    ip_anonymous_max: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    ip_rate: Rate = Rate(per_minute=600_000, burst=20_000)
    agent_rate: Rate = Rate(per_minute=600, burst=100)
    person_rate: Rate = Rate(per_minute=3_000, burst=500)
    trusted_proxies: tuple[Network, ...] = ()

    def body_bytes_max_of(self, path: str) -> int:
        """Return the limit of the body of a request to ``path``."""
        own = (size for prefix, size in self.larger_bodies.items() if path.startswith(prefix))
        limit = max(own, default=self.body_bytes_max)
        return min(limit, LOGIN_BYTES_MAX) if path.startswith(LOGIN_PATHS) else limit

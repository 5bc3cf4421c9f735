"""Python client of Sixgate's HTTP API.

``sixgate_client.kafka`` (the extra ``kafka``) submits to the topics instead.
"""

from sixgate_client.async_client import AsyncClient
from sixgate_client.client import Client
from sixgate_client.errors import (
    ApprovalRequiredError,
    ConflictError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    RateLimitedError,
    RefusedError,
    ServerError,
    SimulationFailedError,
    SixgateError,
    StillPendingError,
    UnauthenticatedError,
    UnexpectedReplyError,
)

__all__ = [
    "ApprovalRequiredError",
    "AsyncClient",
    "Client",
    "ConflictError",
    "ConnectionFailedError",
    "InvalidRequestError",
    "NotFoundError",
    "NotSupportedError",
    "RateLimitedError",
    "RefusedError",
    "ServerError",
    "SimulationFailedError",
    "SixgateError",
    "StillPendingError",
    "UnauthenticatedError",
    "UnexpectedReplyError",
]

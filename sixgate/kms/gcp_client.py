"""Client of Google Cloud KMS, made from settings."""

from typing import Any

import google.auth
import grpc
from google.auth.exceptions import GoogleAuthError
from google.cloud.kms_v1 import KeyManagementServiceClient
from google.cloud.kms_v1.services.key_management_service.transports import (
    KeyManagementServiceGrpcTransport,
)
from google.oauth2.service_account import Credentials

from signer.custody.kms.calls import CallLimits
from sixgate.config.kms import GcpSection
from sixgate.errors import SettingsError

SCOPES = ("https://www.googleapis.com/auth/cloudkms",)
# gRPC's reconnect backoff grows to two minutes, in which a server that is back would be unused.
_RECONNECT = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1_000))
_KEEPALIVE_MS = 60_000
_DIRECT = (("grpc.enable_http_proxy", 0),)


def gcp_client(section: GcpSection) -> KeyManagementServiceClient:
    """Return a client; raises ``SettingsError`` if there are no credentials."""
    transport = KeyManagementServiceGrpcTransport
    options = _options(section.limits())
    if section.plain:
        channel = grpc.insecure_channel(section.endpoint, options=options + _DIRECT)
        return KeyManagementServiceClient(transport=transport(channel=channel))
    channel = transport.create_channel(
        section.endpoint or transport.DEFAULT_HOST,
        credentials=gcp_credentials(section),
        options=options,
    )
    return KeyManagementServiceClient(transport=transport(channel=channel))


def _options(limits: CallLimits) -> tuple[tuple[str, int], ...]:
    """Return the channel's options.

    Keepalive also limits how long sent bytes may stay unacknowledged. Without it, all calls on a
    connection that a firewall dropped silently would fail for a quarter of an hour.
    """
    return (
        *_RECONNECT,
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", limits.call_ms_max),
    )


def gcp_credentials(section: GcpSection) -> Any:
    """Return the credentials; raises ``SettingsError`` if there are no credentials.

    A service account signs its tokens itself, so no call waits for a token service.
    """
    file = section.credentials_file
    try:
        if file is not None:
            return _signing(Credentials.from_service_account_file(str(file), scopes=SCOPES))
        return _signing(google.auth.default(scopes=SCOPES)[0])
    except (GoogleAuthError, OSError, ValueError):
        pass  # reported below, without the library's text, which may quote the file
    source = file or "the default credential chain"
    raise SettingsError(
        f"kms.gcp: {source} has no Google credentials: set credentials_file, or check that "
        "GOOGLE_APPLICATION_CREDENTIALS names a file"
    )


def _signing(found: Any) -> Any:
    if not isinstance(found, Credentials):
        return found
    return found.with_always_use_jwt_access(always_use_jwt_access=True)

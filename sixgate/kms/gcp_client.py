"""Google's client of Cloud KMS, made from settings."""

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
from sixgate.errors import SettingsError
from sixgate.settings.kms import GcpSection

SCOPES = ("https://www.googleapis.com/auth/cloudkms",)
# gRPC's own wait for the next attempt grows to two minutes: a server would be back, and unseen.
_RECONNECT = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1_000))
_KEEPALIVE_MS = 60_000
_DIRECT = (("grpc.enable_http_proxy", 0),)


def gcp_client(section: GcpSection) -> KeyManagementServiceClient:
    """Return a client; raises ``SettingsError`` where there are no credentials."""
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

    With keepalive comes a bound on how long sent bytes may stay unacknowledged. Without it, a
    connection that a firewall forgot takes all calls, and fails them, for a quarter of an hour.
    """
    return (
        *_RECONNECT,
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", limits.call_ms_max),
    )


def gcp_credentials(section: GcpSection) -> Any:
    """Return who asks; raises ``SettingsError`` where nobody is named.

    A service account signs its tokens itself, so no token service can keep a call waiting.
    """
    file = section.credentials_file
    try:
        if file is not None:
            return _signing(Credentials.from_service_account_file(str(file), scopes=SCOPES))
        return _signing(google.auth.default(scopes=SCOPES)[0])
    except (GoogleAuthError, OSError, ValueError):
        pass  # told below, without what the library quotes of the file
    raise SettingsError(
        f"kms.gcp: {file or 'the usual chain'} gives no credentials of Google's: set "
        "credentials_file, or see that GOOGLE_APPLICATION_CREDENTIALS names a file"
    )


def _signing(found: Any) -> Any:
    if not isinstance(found, Credentials):
        return found
    return found.with_always_use_jwt_access(always_use_jwt_access=True)

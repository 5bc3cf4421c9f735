"""Azure's clients of a vault's keys, made from settings."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.keyvault.keys import KeyClient, KeyVaultKey
from azure.keyvault.keys.crypto import CryptographyClient

from signer.custody.kms.azure import KeyName
from signer.custody.kms.calls import CallLimits
from sixgate.clocks import wall_ms
from sixgate.errors import SettingsError
from sixgate.settings.kms import AzureSection
from sixgate.settings.secret_line import read_secret_line

TOKEN_KEPT_S = 60
RemoteFor = Callable[[KeyVaultKey], CryptographyClient]


class FileToken:
    """A credential that reads its token from a file, again when it has been kept for a minute."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return the token; a file that is not private or missing is no authentication."""
        try:
            token = read_secret_line(self._file)
        except SettingsError as error:
            raise ClientAuthenticationError(str(error)) from None
        return AccessToken(token, wall_ms() // 1000 + TOKEN_KEPT_S)


def azure_clients(section: AzureSection) -> tuple[KeyClient, RemoteFor]:
    """Return what reads a key, and how to make what unwraps with it; both ask once.

    A vault of Azure's must name its own domain when it asks for a token, else the token would go
    to whoever asks. One on loopback has no such domain.
    """
    once = _once(section.limits())
    credential = _credential(section, once)
    options: dict[str, Any] = {
        **once,
        "connection_verify": str(section.ca) if section.ca else True,
        "verify_challenge_resource": not section.on_loopback,
    }
    keys = KeyClient(KeyName.parsed(section.key).vault_url, credential, **options)
    return keys, partial(CryptographyClient, credential=credential, **options)


def _once(limits: CallLimits) -> dict[str, Any]:
    return {
        "retry_total": 0,
        "connection_timeout": limits.connect_s_max,
        "read_timeout": limits.call_s_max,
    }


def _credential(section: AzureSection, once: Mapping[str, Any]) -> TokenCredential:
    if section.token_file is not None:
        return FileToken(section.token_file)
    from azure.identity import DefaultAzureCredential  # loads msal, seldom needed

    # Left to itself it asks a machine's identity for up to 75 seconds, and holds a call's place.
    return DefaultAzureCredential(**once)

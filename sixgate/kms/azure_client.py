"""Clients of Azure Key Vault, made from settings."""

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
from sixgate.config.kms import AzureSection
from sixgate.config.section import read_secret_line
from sixgate.errors import SettingsError

TOKEN_KEPT_S = 60
ClientFor = Callable[[KeyVaultKey], CryptographyClient]


class FileToken:
    """A credential that reads its token from a file and caches it for a minute."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return the token; raises ``ClientAuthenticationError`` unless the file is private."""
        try:
            token = read_secret_line(self._file)
        except SettingsError as error:
            raise ClientAuthenticationError(str(error)) from None
        return AccessToken(token, wall_ms() // 1000 + TOKEN_KEPT_S)


def azure_clients(section: AzureSection) -> tuple[KeyClient, ClientFor]:
    """Return a client that reads keys, and a factory of clients that unwrap; neither retries.

    A vault that asks for a token must name its own domain; otherwise an attacker's server could ask
    for the token. A vault on loopback has no such domain.
    """
    no_retry = _no_retry(section.limits())
    credential = _credential(section, no_retry)
    options: dict[str, Any] = {
        **no_retry,
        "connection_verify": str(section.ca) if section.ca else True,
        "verify_challenge_resource": not section.on_loopback,
    }
    keys = KeyClient(KeyName.parsed(section.key).vault_url, credential, **options)
    return keys, partial(CryptographyClient, credential=credential, **options)


def _no_retry(limits: CallLimits) -> dict[str, Any]:
    return {
        "retry_total": 0,
        "connection_timeout": limits.connect_s_max,
        "read_timeout": limits.call_s_max,
    }


def _credential(section: AzureSection, no_retry: Mapping[str, Any]) -> TokenCredential:
    if section.token_file is not None:
        return FileToken(section.token_file)
    from azure.identity import DefaultAzureCredential  # loads msal, seldom needed

    # By default it queries the machine's identity for up to 75 s, and occupies a call's permit.
    return DefaultAzureCredential(**no_retry)

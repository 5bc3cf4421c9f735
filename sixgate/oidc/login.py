"""Login of people with ID tokens of one issuer."""

from time import monotonic

from sixgate.oidc.errors import IdTokenError
from sixgate.oidc.fetching import HttpsFetch, issuer_tls
from sixgate.oidc.id_tokens import IdToken, key_name, verified_token
from sixgate.oidc.issuer_keys import IssuerKeys
from sixgate.oidc.settings import OidcSettings


class OidcLogin:
    """Verifies ID tokens as the settings say; any thread may call."""

    def __init__(self, settings: OidcSettings, keys: IssuerKeys) -> None:
        self._settings, self._keys = settings, keys

    def verified(self, token: str, nonce: str | None, now_ms: int) -> IdToken:
        """Return what counts of an ID token; raise ``LoginError``."""
        key = self._keys.find(key_name(token, self._settings))
        if key is None:
            raise IdTokenError("the ID token names an unknown key")
        return verified_token(token, key, self._settings, nonce, now_ms)


def oidc_login(settings: OidcSettings) -> OidcLogin:
    """Return the login over HTTPS; raise ``SettingsError`` for an unreadable ``ca``."""
    fetch = HttpsFetch(issuer_tls(settings.ca))
    return OidcLogin(settings, IssuerKeys(settings.issuer, fetch, monotonic))

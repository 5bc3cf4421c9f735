"""Keys of an issuer: found by its discovery document, cached, and read again when they rotate.

Source: OpenID Connect Discovery 1.0 sections 3 and 4, OpenID Connect Core 1.0 section 10.1.1.

1. Keys count for an hour; after that no token is accepted until they were read again.
2. A token may name a key that is not among them, because the issuer rotated its keys. They are read
   again for it, at most once a minute: unauthenticated requests cause no more.
3. After a failure the next attempt waits. Requests meanwhile are refused immediately, and so are
   those during a read that need it: each would occupy a thread of the server.
"""

import math
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from schemas.strict_json import read_json
from signer.attestation.release.judge.token_keys import TokenKey, read_token_keys
from sixgate.oidc.errors import IssuerUnavailableError
from sixgate.oidc.settings import https_url

FRESH_S: Final = 3600.0
REREAD_S: Final = 60.0
RETRY_S: Final = 10.0
_DISCOVERY = "/.well-known/openid-configuration"

Fetch: TypeAlias = Callable[[str], bytes]
"""Returns the body at an HTTPS URL; raises ``OSError``."""


class IssuerKeys:
    """The keys of one issuer; any thread may call. ``now_s`` is a monotonic clock."""

    def __init__(self, issuer: str, fetch: Fetch, now_s: Callable[[], float]) -> None:
        self._issuer, self._fetch, self._now_s = issuer, fetch, now_s
        self._lock = threading.Lock()
        self._keys: dict[str, TokenKey] = {}
        self._fresh_until_s = self._reread_at_s = self._retry_at_s = -math.inf

    def find(self, kid: str) -> TokenKey | None:
        """Return the key with a name, or None; raise ``IssuerUnavailableError``."""
        if self._known(kid, self._now_s()):
            return self._keys.get(kid)
        # 3.
        if not self._lock.acquire(blocking=False):
            raise IssuerUnavailableError(f"{self._issuer}: its keys are being read", 1)
        try:
            now_s = self._now_s()
            if not self._known(kid, now_s):
                self._read(now_s)
            return self._keys.get(kid)
        finally:
            self._lock.release()

    def _known(self, kid: str, now_s: float) -> bool:
        """Return whether the keys that were read decide about a name."""
        # 1. and 2.
        is_fresh = now_s < self._fresh_until_s
        return is_fresh and (kid in self._keys or now_s < self._reread_at_s)

    def _read(self, now_s: float) -> None:
        # 3.
        if now_s < self._retry_at_s:
            wait_s = math.ceil(self._retry_at_s - now_s)
            raise IssuerUnavailableError(f"{self._issuer}: it failed a moment ago", wait_s)
        try:
            keys = read_token_keys(self._fetch(self._keys_url()))
        except (OSError, ValueError) as error:
            self._retry_at_s = self._now_s() + RETRY_S
            raise IssuerUnavailableError(f"{self._issuer}: {error}", int(RETRY_S)) from None
        self._keys = {key.kid: key for key in keys}
        self._fresh_until_s, self._reread_at_s = now_s + FRESH_S, now_s + REREAD_S

    def _keys_url(self) -> str:
        """Return where the keys are; raise ``OSError`` and ``ValueError``."""
        found = read_json(self._fetch(self._issuer.removesuffix("/") + _DISCOVERY))
        if not isinstance(found, dict) or found.get("issuer") != self._issuer:
            raise ValueError("its discovery document names another issuer")
        try:
            return https_url(str(found.get("jwks_uri")))
        except ValueError as error:
            raise ValueError(f"its jwks_uri {error}") from None

"""Access tokens: JWT signed with EdDSA (RFC 7519, RFC 8037), bound to one audience, revocable.

A token ends with the credential that it was exchanged for, an API key or a login: it names the
credential's id, and every request checks that it still exists.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sixgate.api.rate_limit import RateLimit
from sixgate.config.limits import Rate
from sixgate.gateway.api_keys import OwnerKind
from sixgate.gateway.database import Database, UntilChanged

ALGORITHM = "EdDSA"
TTL_S_MIN, TTL_S_MAX = 300, 3600
CACHED_TOKENS_MAX = 10_000
TOKEN_LENGTH_MAX = 4096
REVOCATIONS = Rate(per_minute=60, burst=60)
"""Of one owner. Each is remembered until the token expires, and tokens are cheap to get."""
_CREATE = """
CREATE TABLE IF NOT EXISTS revoked_tokens (
  id TEXT PRIMARY KEY, expires_at_s INTEGER NOT NULL) STRICT;
"""


class TokenError(Exception):
    """The token is not valid; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """The claims of a verified token."""

    id: str
    owner_kind: OwnerKind
    owner: str
    credential: str
    expires_at_s: int


class Tokens:
    """Issues, verifies and revokes tokens for one organisation."""

    def __init__(
        self, database: Database, key: Ed25519PrivateKey, org: str, random_hex: Callable[[int], str]
    ) -> None:
        self._database = database
        self._key, self._public_key = key, key.public_key()
        self._issuer = self._audience = f"sixgate:{org}"
        self._random_hex = random_hex
        self._verified: OrderedDict[str, Token] = OrderedDict()
        database.create(_CREATE)
        self._revoked: UntilChanged[bool] = UntilChanged(database)  # every request asks
        self._revocations = RateLimit(REVOCATIONS)
        self._revoking = threading.Lock()

    def issue(
        self, owner_kind: OwnerKind, owner: str, credential: str, *, now_ms: int, ttl_s: int
    ) -> tuple[str, int]:
        """Return a signed token and its lifetime; ``ttl_s`` is moved into 5 to 60 minutes."""
        now_s, lifetime_s = now_ms // 1000, max(TTL_S_MIN, min(ttl_s, TTL_S_MAX))
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": owner,
            "kind": owner_kind,
            "key": credential,
            "jti": self._random_hex(16),
            "iat": now_s,
            "exp": now_s + lifetime_s,
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM), lifetime_s

    def verify(self, text: str, now_ms: int) -> Token:
        """Return a token's claims; raise ``TokenError`` for an invalid, expired or revoked one."""
        token = self._verified.get(text)
        if token is None:
            token = self._decode(text)
            self._verified[text] = token
            if len(self._verified) > CACHED_TOKENS_MAX:
                self._verified.popitem(last=False)
        if token.expires_at_s * 1000 <= now_ms:
            raise TokenError("the token has expired")
        if self._revoked.get(token.id, lambda: self._is_revoked(token.id)):
            raise TokenError("the token was revoked")
        return token

    def revoke(self, token: Token, now_ms: int) -> int:
        """Revoke a valid token, durable on return; forget revoked ones that have expired.

        Return 0, or the milliseconds to wait if its owner revoked too many tokens.
        """
        with self._revoking:
            wait_ms = self._revocations.take(f"{token.owner_kind}:{token.owner}", now_ms)
        if wait_ms:
            return wait_ms
        issued_s_min = token.expires_at_s - TTL_S_MAX
        with self._database.transaction():
            self._database.write(
                "DELETE FROM revoked_tokens WHERE expires_at_s < ?", (issued_s_min,)
            )
            row = (token.id, token.expires_at_s)
            self._database.write("INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?)", row)
        return 0

    def _is_revoked(self, token_id: str) -> bool:
        query = "SELECT 1 FROM revoked_tokens WHERE id = ?"
        return self._database.row(query, (token_id,)) is not None

    def _decode(self, text: str) -> Token:
        if len(text) > TOKEN_LENGTH_MAX:
            raise TokenError("the token is too long")
        try:
            # The library reads the clock for ``exp``; ``verify`` compares with the caller's time.
            claims: dict[str, Any] = jwt.decode(
                text,
                self._public_key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": ["exp", "sub", "jti", "kind", "key"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise TokenError(f"the token is invalid ({type(error).__name__})") from None
        kind = claims["kind"]
        if kind not in ("agent", "person"):
            raise TokenError("the token names no kind of caller")
        return Token(
            str(claims["jti"]), kind, str(claims["sub"]), str(claims["key"]), int(claims["exp"])
        )

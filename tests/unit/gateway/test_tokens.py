"""Revoked tokens are remembered until they expire, and no owner makes the gateway remember many."""

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sixgate.gateway.database import Database
from sixgate.gateway.tokens import REVOCATIONS, Token, TokenError, Tokens

HOUR_MS = 3_600_000
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "gateway.db")) as opened:
        yield opened


def tokens_of(database: Database) -> Tokens:
    return Tokens(database, KEY, "acme", secrets.token_hex)


def issued(tokens: Tokens, owner: str, now_ms: int) -> tuple[str, Token]:
    text, _ = tokens.issue("agent", owner, "key", now_ms=now_ms, ttl_s=3600)
    return text, tokens.verify(text, now_ms)


def test_an_owner_revokes_a_bounded_number_of_tokens_and_others_are_not_affected(
    database: Database,
) -> None:
    tokens = tokens_of(database)
    waits_ms = [
        tokens.revoke(issued(tokens, "flood", 0)[1], 0) for _ in range(REVOCATIONS.burst + 1)
    ]
    assert [wait_ms > 0 for wait_ms in waits_ms] == [False] * REVOCATIONS.burst + [True]
    text, token = issued(tokens, "other", 0)
    assert tokens.revoke(token, 0) == 0
    for found in (tokens, tokens_of(database)):
        with pytest.raises(TokenError, match="revoked"):
            found.verify(text, 0)


def test_a_revocation_is_forgotten_when_its_token_has_expired(database: Database) -> None:
    tokens = tokens_of(database)
    tokens.revoke(issued(tokens, "early", 0)[1], 0)
    later_ms = HOUR_MS + 1000
    text, token = issued(tokens, "late", later_ms)
    tokens.revoke(token, later_ms)
    rows = database.rows("SELECT id FROM revoked_tokens")
    assert [row["id"] for row in rows] == [token.id]
    with pytest.raises(TokenError, match="revoked"):
        tokens.verify(text, later_ms)

"""Custody material: repeatable randomness, a root, sealed secrets, contexts and faulty KMSs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from schemas.fields import SAFE_INTEGER_MAX
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, new_vault_key, seal_secret
from signer.custody.errors import CustodyError
from signer.custody.kms.local import LocalKms

ROOT = bytes(range(1, 33))
OTHER_ROOT = bytes(range(2, 34))
SECRET = hashlib.sha256(b"a signing key of the tests").digest()
HERE = SecretContext(
    org="acme", account="treasury", vault="main", path="keys/hot", version=2, mode="envelope"
)


@dataclass
class Stream:
    """SHA-256 in counter mode: repeatable, every draw differs. ``drawn`` has all draws."""

    seed: str = "custody"
    drawn: list[bytes] = field(default_factory=list, repr=False)

    def __call__(self, size_bytes: int) -> bytes:
        block = f"{self.seed}/{len(self.drawn)}".encode()
        self.drawn.append(hashlib.shake_256(block).digest(size_bytes))
        return self.drawn[-1]


@dataclass
class FailingKms:
    """A real root that raises at a given call, counted from 1 over ``wrap`` and ``unwrap``."""

    inner: LocalKms
    error: CustodyError
    fails_at: int
    calls: int = 0

    @property
    def key_id(self) -> str:
        return self.inner.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        self._count()
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        self._count()
        return self.inner.unwrap(wrapped, context)

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise self.error


@dataclass
class LyingKms:
    """A root that unwraps to another value than it wrapped."""

    inner: LocalKms
    lie: Callable[[bytearray], bytearray]

    @property
    def key_id(self) -> str:
        return self.inner.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        return self.lie(self.inner.unwrap(wrapped, context))


def root_kms(root: bytes = ROOT, seed: str = "root") -> LocalKms:
    return LocalKms(root, Stream(seed))


def sealed_at(
    context: SecretContext, secret: bytes = SECRET, kms: LocalKms | None = None, seed: str = ""
) -> SealedSecret:
    """Return a secret sealed in a new vault."""
    kms = kms or root_kms()
    random_bytes = Stream(seed or context.encode().decode())
    wrapped_kek = new_vault_key(kms, context.vault_context, random_bytes)
    return seal_secret(kms, wrapped_kek, context, secret, random_bytes)


def slowly_multiplied(left: int, right: int) -> int:
    """Multiply in GF(2^8) bit by bit: the reference for the tables."""
    product_ = 0
    for bit in range(8):
        if right >> bit & 1:
            product_ ^= left << bit
    for bit in range(14, 7, -1):
        if product_ >> bit & 1:
            product_ ^= 0x11B << bit - 8
    return product_


# Each differs from HERE in one name.
ELSEWHERE: dict[str, dict[str, object]] = {
    "organisation": {"org": "umbrella"},
    "account": {"account": "payroll"},
    "vault": {"vault": "other"},
    "path": {"path": "keys/cold"},
    "later version": {"version": 3},
    "earlier version": {"version": 1},
}
# Few letters and JSON punctuation, so that names collide and try to break the encoding.
labels = st.one_of(st.text('ab",:{}\\/', min_size=1, max_size=4), st.text(min_size=1, max_size=8))
contexts = st.builds(
    SecretContext,
    org=labels,
    account=labels,
    vault=labels,
    path=labels,
    version=st.integers(1, 3) | st.integers(1, SAFE_INTEGER_MAX),
    mode=st.just("envelope"),
)

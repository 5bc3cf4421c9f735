"""Three cloud providers, each a software root, and providers that fail or are slow."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event

from schemas.registry.custody import CustodyMode
from signer.custody.context import SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import new_vault_key
from signer.custody.errors import KmsUnavailableError, ProviderFailure
from signer.custody.kms.calls import CallLimits, Calls
from signer.custody.kms.cloud import CloudKms
from signer.custody.kms.local import LocalKms
from signer.custody.kms.port import KeyState, KeyStatus, ProtectionLevel, RootKms
from signer.custody.provider import Provider
from signer.custody.sealing import Holders, Sealing, seal
from tests.harness.builders.custody_material import HERE, SECRET, Stream, root_kms

NAMES = ("gcp", "aws", "azure")
PATIENT_MS = 60_000
MODES: tuple[CustodyMode, ...] = tuple(PLANS)
PROVIDED = tuple(mode for mode in MODES if PLANS[mode].providers)
WITH_CLIENT = tuple(mode for mode in MODES if PLANS[mode].needs_client)


def in_mode(mode: CustodyMode) -> SecretContext:
    return HERE.model_copy(update={"mode": mode})


def cloud(name: str) -> LocalKms:
    """Return the root key of the provider with this name."""
    root = name.encode().ljust(32, b"-")
    return root_kms(root, seed=f"cloud {name}")


@dataclass
class Clouds:
    """Providers whose root keys a test may replace; ``reports`` has their late reports.

    Wrap a slow root in ``Bounded``; real adapters have a timeout already.
    """

    roots: dict[str, RootKms] = field(default_factory=lambda: {n: cloud(n) for n in NAMES})
    root: RootKms = field(default_factory=root_kms)
    reports: list[ProviderFailure] = field(default_factory=list)
    opened: list[Provider] = field(default_factory=list)

    def holders(self, mode: CustodyMode) -> Holders:
        providers = tuple(
            Provider(name, self.roots[name], self.reports.append)
            for name in NAMES[: PLANS[mode].providers]
        )
        self.opened.extend(providers)
        return Holders(self.root, providers)


@contextmanager
def clouds(**roots: RootKms) -> Iterator[Clouds]:
    yield Clouds({name: roots.get(name, cloud(name)) for name in NAMES})


def sealed_in(
    mode: CustodyMode,
    context: SecretContext | None = None,
    secret: bytes = SECRET,
    seed: str = "",
) -> Sealing:
    """Return a secret sealed by working providers, under a vault key if the mode has one."""
    context = context or in_mode(mode)
    random_bytes = Stream(seed or context.encode().decode())
    with clouds() as sound:
        return seal(
            sound.holders(mode), vault_key(context, random_bytes), context, secret, random_bytes
        )


def vault_key(context: SecretContext, random_bytes: Callable[[int], bytes]) -> bytes:
    if not PLANS[context.mode].has_vault_key:
        return b""
    return new_vault_key(root_kms(), context.vault_context, random_bytes)


@dataclass
class HangingKms:
    """A root that does not answer until it is released; then it answers correctly."""

    inner: RootKms
    let_go: Event = field(default_factory=Event)
    entered: Event = field(default_factory=Event)

    @property
    def key_id(self) -> str:
        return self.inner.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        self._hang()
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        self._hang()
        return self.inner.unwrap(wrapped, context)

    def _hang(self) -> None:
        self.entered.set()
        assert self.let_go.wait(PATIENT_MS / 1000)


class Bounded(CloudKms):
    """A root with a timeout per call, as every cloud's adapter has."""

    def __init__(self, inner: RootKms, call_ms_max: int) -> None:
        limits = CallLimits(call_ms_max=call_ms_max)
        super().__init__(Calls(inner.key_id, limits, lambda _: KmsUnavailableError))
        self._inner = inner

    def _wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        return self._inner.wrap(plaintext, context)

    def _unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        return self._inner.unwrap(wrapped, context)

    def _status(self) -> KeyStatus:
        return KeyStatus(KeyState.ENABLED, ProtectionLevel.SOFTWARE)


@dataclass
class SlowKms:
    """A root with a delay per call."""

    inner: RootKms
    takes_s: float
    gave: list[bytearray] = field(default_factory=list)

    @property
    def key_id(self) -> str:
        return self.inner.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        time.sleep(self.takes_s)  # the time a slow provider takes
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        time.sleep(self.takes_s)  # the time a slow provider takes
        self.gave.append(self.inner.unwrap(wrapped, context))
        return self.gave[-1]


@dataclass
class RaisingKms:
    """A root that answers every call with the same exception."""

    error: Exception
    key_id: str = "local:raising"
    calls: int = 0

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:  # noqa: ARG002 - a port
        self.calls += 1
        raise self.error

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:  # noqa: ARG002 - a port
        self.calls += 1
        raise self.error

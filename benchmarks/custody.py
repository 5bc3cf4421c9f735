"""Custody: splitting and combining against pyshamir, 2-of-3 reads, signing with an open key.

The three clouds are the stand-ins of ``make peers`` in a separate process, called by the real SDKs.
"""

import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pyshamir

from benchmarks.measure import Figure, Work, interleaved, seconds
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret
from signer.custody.errors import QuorumError
from signer.custody.handle import KeyHandle
from signer.custody.keyring import Keyring, KeyringLimits
from signer.custody.kms.port import RootKms
from signer.custody.opening import open_sealed
from signer.custody.provider import Provider
from signer.custody.sealing import Holders, seal
from signer.custody.shamir import combine, split
from sixgate.clocks import wall_ms
from sixgate.config.kms import KmsSettings
from sixgate.config.process_settings import load_settings
from sixgate.kms.factory import providers

ROUNDS, CALLS, PYSHAMIR_CALLS = 15, 50, 20
SHARE_US_MAX = 20
READS, DISTANT_READS = 60, 30
READ_RATIO_MAX = 1.3
HOME_S = 0.05
DISTANCES_MS = {"gcp": 10, "aws": 14, "azure": 30}
RING_US_MAX = 5
TIMEOUT_MS, HANGING_READS, HANGING_REFUSALS = 500, 20, 5
BOUND_MS = 1.1 * TIMEOUT_MS
CONTEXT = SecretContext(
    org="bench", account="a", vault="v", path="p", version=1, mode="2of3_multi_hsm"
)
LIMITS = KeyringLimits(handles_max=8, idle_ms_max=60_000, age_ms_max=600_000, uses_max=10**9)


class TimedKms:
    """A KMS with simulated network latency that measures the duration of its last call."""

    def __init__(self, kms: RootKms, distance_ms: int = 0) -> None:
        self.key_id = kms.key_id
        self.took_s = 0.0
        self._kms = kms
        self._distance_s = distance_ms / 1000

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap with the KMS's root key."""
        return self._kms.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap with the KMS's root key, after the simulated latency."""
        start_s = time.perf_counter()
        time.sleep(self._distance_s)
        plaintext = self._kms.unwrap(wrapped, context)
        self.took_s = time.perf_counter() - start_s
        return plaintext


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    secret = secrets.token_bytes(32)
    ours, theirs = split(secret, 3, 2, secrets.token_bytes), pyshamir.split(secret, 3, 2)
    assert combine(ours[:2]) == pyshamir.combine(theirs[:2]) == secret
    yield _against_pyshamir(
        "split 32 bytes into 3 shares, 2 needed",
        lambda: split(secret, 3, 2, secrets.token_bytes),
        lambda: pyshamir.split(secret, 3, 2),
    )
    yield _against_pyshamir(
        "combine 2 shares", lambda: combine(ours[:2]), lambda: pyshamir.combine(theirs[:2])
    )
    with _peers() as settings:
        roots: dict[str, RootKms] = {name: make() for name, make in providers(settings).items()}
        sealed = seal(_holders(roots), b"", CONTEXT, secret, secrets.token_bytes).sealed
        yield _read(roots, sealed)
        yield _distant_read(roots, sealed)
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            hanging = _hanging(settings, silent.getsockname()[1])
            yield _read_with_one_hanging(roots, hanging, sealed)
            yield _refusal_with_two_hanging(roots, hanging, sealed)
    yield _signing(secret)


def _against_pyshamir(what: str, ours: Work, theirs: Work) -> Figure:
    times = interleaved({"ours": ours, "theirs": theirs}, ROUNDS, PYSHAMIR_CALLS)
    holds = times["ours"] <= SHARE_US_MAX
    return Figure(
        "custody", what, times["ours"], "µs", "pyshamir", times["theirs"],
        f"≤ {SHARE_US_MAX} µs", holds,
    )  # fmt: skip


@contextmanager
def _peers() -> Iterator[KmsSettings]:
    """Run the stand-ins of the three clouds and yield settings with their keys."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.harness.kms", "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            try:
                assert running.stdout is not None
                assert any("Try it" in line for line in running.stdout), "the peers did not start"
                yield load_settings(Path(folder) / "sixgate.toml").kms
            finally:
                running.terminate()


def _hanging(settings: KmsSettings, port: int) -> dict[str, RootKms]:
    """Return the same keys behind a port that accepts connections and never answers."""
    here = f"127.0.0.1:{port}"
    assert settings.gcp
    assert settings.aws
    once = {"connect_ms_max": TIMEOUT_MS, "call_ms_max": TIMEOUT_MS}
    silent = KmsSettings(
        gcp=settings.gcp.model_copy(update={"endpoint": here, **once}),
        aws=settings.aws.model_copy(update={"endpoint": f"http://{here}", **once}),
    )
    return {name: make() for name, make in providers(silent).items()}


def _holders(roots: Mapping[str, RootKms]) -> Holders:
    listed = [Provider(name, kms, lambda _failure: None) for name, kms in roots.items()]
    return Holders(listed[0].kms, tuple(listed))


def _read(roots: Mapping[str, RootKms], sealed: SealedSecret) -> Figure:
    """Read from clouds on loopback, against the slower of the two calls that served each read.

    The calls are timed inside the read, because on loopback three parallel calls compete for the
    CPU with each other and with the stand-ins.
    """
    timed = [TimedKms(kms) for kms in roots.values()]
    holders = _holders(dict(zip(roots, timed, strict=True)))
    reads, calls = [], []
    for _ in range(READS):
        for each in timed:
            each.took_s = HOME_S
        reads.append(seconds(lambda: open_sealed(holders, CONTEXT, sealed)))
        calls.append(sorted(each.took_s for each in timed)[1])
        time.sleep(HOME_S)  # let the third call, which the read did not need, end
    what = "read from two of three clouds on loopback"
    return _against_slower_call(what, "the slower of its two calls, in the read", reads, calls)


def _distant_read(roots: Mapping[str, RootKms], sealed: SealedSecret) -> Figure:
    """Read from clouds with realistic latency, against the second-fastest call alone."""
    timed = {name: TimedKms(kms, DISTANCES_MS[name]) for name, kms in roots.items()}
    holders = _holders(timed)
    blobs = {share.provider: share.blob for share in sealed.wrapped_shares}
    reads: list[float] = []
    alone: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(DISTANT_READS):
        for name, kms in timed.items():
            kms.unwrap(blobs[name], CONTEXT.share_aad(name))
            alone[name].append(kms.took_s)
        reads.append(seconds(lambda: open_sealed(holders, CONTEXT, sealed)))
        time.sleep(HOME_S)
    second = sorted(alone.values(), key=statistics.median)[1]
    what = "the same with 10, 14 and 30 ms of network latency"
    return _against_slower_call(what, "the slower of its two calls, alone", reads, second)


def _against_slower_call(what: str, peer: str, reads: list[float], calls: list[float]) -> Figure:
    read, call = (statistics.median(each) * 1000 for each in (reads, calls))
    return Figure(
        "custody", what, read, "ms", peer, call, f"≤ {READ_RATIO_MAX} x",
        read <= READ_RATIO_MAX * call,
    )  # fmt: skip


def _read_with_one_hanging(
    roots: Mapping[str, RootKms], hanging: Mapping[str, RootKms], sealed: SealedSecret
) -> Figure:
    holders = _holders({**roots, "gcp": hanging["gcp"]})
    reads = [seconds(lambda: open_sealed(holders, CONTEXT, sealed)) for _ in range(HANGING_READS)]
    return _worst(f"the same while one cloud hangs, worst of {HANGING_READS}", reads)


def _refusal_with_two_hanging(
    roots: Mapping[str, RootKms], hanging: Mapping[str, RootKms], sealed: SealedSecret
) -> Figure:
    holders = _holders({**roots, **hanging})

    def refused() -> None:
        with suppress(QuorumError):
            open_sealed(holders, CONTEXT, sealed)

    reads = [seconds(refused) for _ in range(HANGING_REFUSALS)]
    return _worst(f"refusal while two clouds hang, worst of {HANGING_REFUSALS}", reads)


def _worst(what: str, took_s: list[float]) -> Figure:
    worst_ms = max(took_s) * 1000
    return Figure(
        "custody", what, worst_ms, "ms", "timeout", TIMEOUT_MS,
        f"≤ {BOUND_MS:.0f} ms", worst_ms <= BOUND_MS,
    )  # fmt: skip


def _signing(secret: bytes) -> Figure:
    digest, handle = secrets.token_bytes(32), KeyHandle(bytearray(secret))
    ring: Keyring[str] = Keyring(lambda _name: KeyHandle(bytearray(secret)), wall_ms, LIMITS)
    key = ring.key("hot")
    times = interleaved(
        {"ring": lambda: key.sign(digest), "handle": lambda: handle.sign(digest)}, ROUNDS, CALLS
    )
    added = times["ring"] - times["handle"]
    return Figure(
        "custody", "overhead of custody per signature with an open key", added, "µs",
        "the signature alone", times["handle"], f"≤ {RING_US_MAX} µs", added <= RING_US_MAX,
    )  # fmt: skip

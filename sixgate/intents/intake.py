"""Intake of new intents: refuses those over a limit before any part of them is stored.

1. The disk must have space: recovery and deactivations need it more than new intents do.
2. The agent must be within its rate. The signer counts again and decides; here an agent over its
   rate costs no signature, no row and no record.
3. The agent's intents must be within its bytes of a day.

A refusal is counted for its agent and minute, with a digest chained over what was refused. When
the minute is over, ``ended`` returns the count once, to be recorded. *If the process ends before,
the count is lost: no intent existed.*
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from schemas.fields import Name, TimeMs
from signer.core.registry.registered import Registered
from signer.core.window import DAY_MS, MINUTE_MS, Window
from sixgate.api_error import ApiError
from sixgate.config.intake import MIB, IntakeSettings

_EMPTY = Window()
NO_REFUSALS = "0x" + "00" * 32
"""The digest before the first refusal of a minute."""


class DiskSpace(Protocol):
    """The size of a disk and its free part in bytes; ``shutil.disk_usage`` returns it."""

    @property
    def total(self) -> int:
        """The size."""
        ...

    @property
    def free(self) -> int:
        """The part that this user may still fill."""
        ...


@dataclass(frozen=True, slots=True)
class OverLimit:
    """Why an intent was refused, and after how long the same one may pass."""

    code: Literal["rate_exceeded", "quota_exceeded"]
    detail: str
    wait_ms: int


@dataclass(frozen=True, slots=True)
class RefusedCount:
    """How many intents of an agent were refused in a minute that began at ``minute_ms``.

    ``digest`` is SHA-256 over the digest before and the digest of the refused bytes, one after the
    other, from ``NO_REFUSALS``.
    """

    agent: Name
    minute_ms: TimeMs
    count: int = 0
    digest: str = NO_REFUSALS

    def with_one(self, body: bytes) -> "RefusedCount":
        """Return the count after one more refusal."""
        chained = bytes.fromhex(self.digest[2:]) + hashlib.sha256(body).digest()
        digest = f"0x{hashlib.sha256(chained).hexdigest()}"
        return replace(self, count=self.count + 1, digest=digest)


@dataclass(frozen=True, slots=True)
class Submitted:
    """What an agent submitted: intents in the last minute, and their bytes in the last day."""

    intents: Window = _EMPTY
    size_bytes: Window = _EMPTY

    def problem(
        self, size: int, at_ms: TimeMs, intents_max: int | None, bytes_max: int
    ) -> OverLimit | None:
        """Return why one more intent of ``size`` bytes is refused; None if it may be submitted."""
        if intents_max is not None and self.intents.total(at_ms, MINUTE_MS) >= intents_max:
            detail = f"the agent exceeded {intents_max} intents per minute"
            wait_ms = _wait_ms(self.intents, at_ms, MINUTE_MS, intents_max - 1)
            return OverLimit("rate_exceeded", detail, wait_ms)
        if self.size_bytes.total(at_ms, DAY_MS) + size > bytes_max:
            detail = f"the agent's intents exceeded {bytes_max / MIB:g} MiB in 24 hours"
            wait_ms = _wait_ms(self.size_bytes, at_ms, DAY_MS, bytes_max - size)
            return OverLimit("quota_exceeded", detail, wait_ms)
        return None

    def with_one(self, size: int, at_ms: TimeMs) -> "Submitted":
        """Return what the agent submitted after one more intent."""
        intents = self.intents.add(at_ms, 1, MINUTE_MS)
        return Submitted(intents, self.size_bytes.add(at_ms, size, DAY_MS))


def intents_max(registered: Registered, agent: Name) -> int | None:
    """Return how many intents a minute an agent may submit; None means no limit.

    An agent without a policy has none: the signer refuses its intents.
    """
    found = registered.agents.get(agent)
    policy = registered.policies.get(found.policy_id) if found else None
    return policy.policy.intents_max if policy else None


def disk_problem(disk: DiskSpace, settings: IntakeSettings) -> str | None:
    """Return why new work is refused for lack of disk space; None if there is enough."""
    percent = 100 * disk.free / disk.total
    bytes_min, percent_min = settings.disk_free_bytes_min, settings.disk_free_percent_min
    if disk.free >= bytes_min and percent >= percent_min:
        return None
    return (
        f"the disk has {disk.free / MIB:.0f} MiB ({percent:.1f} %) free, and new work needs "
        f"{bytes_min / MIB:.0f} MiB and {percent_min:g} %: free some space and retry; nothing was "
        "stored"
    )


@dataclass(slots=True)
class Intake:
    """Admits new intents; any thread may call. Counts are in memory: a restart begins new ones."""

    settings: IntakeSettings
    disk: Callable[[], DiskSpace]
    _submitted: dict[Name, Submitted] = field(default_factory=dict)
    _refused: dict[Name, RefusedCount] = field(default_factory=dict)
    _ended: list[RefusedCount] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check_disk(self) -> None:
        """Raise ``ApiError`` ``disk_low`` if new work must wait for disk space."""
        if problem := disk_problem(self.disk(), self.settings):
            raise ApiError("disk_low", problem)

    def admit(
        self, agent: Name, intents_max: int | None, body: bytes, at_ms: TimeMs
    ) -> OverLimit | None:
        """Count an intent of an agent before it is signed or stored; return why it is refused.

        Raises ``ApiError`` ``disk_low``.
        """
        # 1.
        self.check_disk()
        with self._lock:
            before = self._submitted.get(agent, Submitted())
            # 2. and 3.
            bytes_max = self.settings.agent_bytes_per_day_max
            problem = before.problem(len(body), at_ms, intents_max, bytes_max)
            if problem is None:
                self._submitted[agent] = before.with_one(len(body), at_ms)
            else:
                self._count(agent, body, at_ms)
        return problem

    def ended(self, at_ms: TimeMs | None = None) -> list[RefusedCount]:
        """Return the counts of minutes that are over, each once; all if ``at_ms`` is None."""
        with self._lock:
            over = [
                agent
                for agent, refused in self._refused.items()
                if at_ms is None or refused.minute_ms + MINUTE_MS <= at_ms
            ]
            found, self._ended = self._ended + [self._refused.pop(a) for a in over], []
        return found

    def _count(self, agent: Name, body: bytes, at_ms: TimeMs) -> None:
        minute_ms = at_ms - at_ms % MINUTE_MS
        refused = self._refused.get(agent)
        if refused is not None and refused.minute_ms != minute_ms:
            self._ended.append(refused)
            refused = None
        refused = refused or RefusedCount(agent, minute_ms)
        self._refused[agent] = refused.with_one(body)


def _wait_ms(window: Window, at_ms: TimeMs, span_ms: int, total_max: int) -> int:
    """Return after how long a window's total is at most ``total_max``; its span if never."""
    total = window.total(at_ms, span_ms)
    for entry_ms, amount in window.entries:
        if entry_ms < at_ms - span_ms:
            continue
        total -= amount
        if total <= total_max:
            return entry_ms + span_ms + 1 - at_ms
    return span_ms

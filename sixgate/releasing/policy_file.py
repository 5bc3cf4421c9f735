"""Release policy file, with a mark on disk that prevents rollback to an older policy.

``PolicyFile.load``:
1. Read file and mark; verify the policy against the mark.
2. Write the mark of a newer policy, atomically.
   *If the process ends before that, the old policy stays the newest. If it ends after that, the
   next start accepts the same policy again, and no older one.*
3. Only then does the policy take effect.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Literal, TypeVar

from schemas.canonical import Canonical, MalformedError
from schemas.dsse import Envelope
from schemas.fields import Digest, Name, Ordinal
from signer.attestation.release.policy import (
    PolicyMark,
    PolicyTrust,
    ReleasePolicy,
    ReleasePolicyRefusedError,
    accept_policy,
)
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from sixgate.errors import SettingsError

POLICY_BYTES_MAX = 1024 * 1024
T = TypeVar("T")
_LOG = logging.getLogger("sixgate.release")
_MARK_BYTES_MAX = 1024


class MarkFile(Canonical):
    """The newest policy that was accepted here."""

    v: Literal[1] = 1
    type: Literal["release.policy.mark"] = "release.policy.mark"
    org: Name
    sequence: Ordinal
    digest: Digest


class PolicyFile:
    """Loads the policy of a file; accepts no older one, also after a restart.

    Deleting ``mark`` allows a rollback to older policies that have not expired.
    """

    def __init__(
        self, file: Path, mark: Path, trust: PolicyTrust, now_ms: Callable[[], int]
    ) -> None:
        self._file = file
        self._mark = mark
        self._trust = trust
        self._now_ms = now_ms

    def load(self) -> ReleasePolicy:
        """Load, verify and mark the policy; raises ``SettingsError``.

        If the mark cannot be written, the policy is refused: a restart could accept an older one.
        """
        # 1. Read and verify.
        envelope = _envelope(self._file)
        newest = self._newest_mark()
        try:
            policy, mark = accept_policy(envelope, self._trust, newest, self._now_ms())
        except ReleasePolicyRefusedError as error:
            raise SettingsError(f"{self._file}: {error}") from None
        # 2. Durable before the caller sees the policy.
        if mark != newest:
            self._write_mark(MarkFile(org=policy.org, sequence=mark.sequence, digest=mark.digest))
        # 3.
        return policy

    def _write_mark(self, mark: MarkFile) -> None:
        try:
            write_atomic(self._mark, mark.encode(), replace=True, mode=MODE_PRIVATE)
        except OSError as error:
            raise SettingsError(
                f"{self._mark} cannot be written ({error.strerror}), so release policy "
                f"{mark.sequence} is not accepted: fix its folder and retry"
            ) from None

    def _newest_mark(self) -> PolicyMark | None:
        if not os.path.lexists(self._mark):  # a dangling link is damage, not a first start
            return None
        try:
            mark = MarkFile.decode(read_bounded(self._mark, _MARK_BYTES_MAX))
        except MalformedError as error:
            raise SettingsError(f"{self._mark} is damaged ({error}): restore it") from None
        if mark.org != self._trust.org:
            raise SettingsError(
                f"{self._mark} is of {mark.org}, not of {self._trust.org}: restore the right one"
            )
        return PolicyMark(mark.sequence, mark.digest)


class LastGood(Generic[T]):
    """The content of a file; while the file is unusable, its last good content."""

    def __init__(self, load: Callable[[], T]) -> None:
        """Load the file; raises ``SettingsError``."""
        self._load = load
        self._rejected = ""
        self.content = load()

    def reload(self) -> T:
        """Load the file again; if it is unusable, log why, once, and return the last good one."""
        try:
            self.content = self._load()
            self._rejected = ""
        except SettingsError as error:
            if self._rejected != str(error):
                _LOG.warning("release.file_rejected", extra={"detail": str(error)})
            self._rejected = str(error)
        return self.content


def _envelope(file: Path) -> Envelope:
    try:
        return Envelope.decode(read_bounded(file, POLICY_BYTES_MAX))
    except MalformedError as error:
        message = f"{file} is not a signed policy ({error}): sign one with sixgate release policy"
        raise SettingsError(message) from None


def read_bounded(file: Path, bytes_max: int) -> bytes:
    """Read at most ``bytes_max`` bytes; raises ``SettingsError``."""
    try:
        with file.open("rb") as opened:
            content = opened.read(bytes_max + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > bytes_max:
        raise SettingsError(f"{file} is larger than {bytes_max} bytes")
    return content

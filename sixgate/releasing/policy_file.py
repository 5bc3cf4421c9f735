"""The release policy as a file, and the mark that keeps an older one from coming back."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

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
from signer.attestation.release.token_keys import (
    KEYS_BYTES_MAX,
    TokenKey,
    TokenKeysError,
    read_token_keys,
)
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from sixgate.errors import SettingsError

POLICY_BYTES_MAX = 1024 * 1024
_MARK_BYTES_MAX = 1024


class MarkFile(Canonical):
    """The newest policy that was taken here."""

    v: Literal[1] = 1
    type: Literal["release.policy.mark"] = "release.policy.mark"
    org: Name
    sequence: Ordinal
    digest: Digest


class PolicyFile:
    """Takes the policy that lies in a file, never an older one, whatever was restarted between.

    ``mark`` is written before a policy counts. Who deletes it lets older policies back in, which
    their own end bounds.
    """

    def __init__(
        self, file: Path, mark: Path, trust: PolicyTrust, now_ms: Callable[[], int]
    ) -> None:
        self._file = file
        self._mark = mark
        self._trust = trust
        self._now_ms = now_ms

    def take(self) -> ReleasePolicy:
        """Return the policy in the file, remembered; raises ``SettingsError``.

        One that cannot be remembered does not count: after a restart an older one could come back.
        """
        envelope = _envelope(self._file)
        newest = self._newest()
        try:
            policy, mark = accept_policy(envelope, self._trust, newest, self._now_ms())
        except ReleasePolicyRefusedError as error:
            raise SettingsError(f"{self._file}: {error}") from None
        if mark != newest:
            self._remember(MarkFile(org=policy.org, sequence=mark.sequence, digest=mark.digest))
        return policy

    def _remember(self, kept: MarkFile) -> None:
        try:
            write_atomic(self._mark, kept.encode(), replace=True, mode=MODE_PRIVATE)
        except OSError as error:
            raise SettingsError(
                f"{self._mark} cannot be written ({error.strerror}), so release policy "
                f"{kept.sequence} is not taken: mend its folder"
            ) from None

    def _newest(self) -> PolicyMark | None:
        if not os.path.lexists(self._mark):  # a link to nowhere is damage, not a first start
            return None
        try:
            kept = MarkFile.decode(_content(self._mark, _MARK_BYTES_MAX))
        except MalformedError as error:
            raise SettingsError(f"{self._mark} is damaged ({error}): restore it") from None
        if kept.org != self._trust.org:
            raise SettingsError(f"{self._mark} is {kept.org}'s, this is {self._trust.org}")
        return PolicyMark(kept.sequence, kept.digest)


def token_keys_in(file: Path) -> tuple[TokenKey, ...]:
    """Return the issuer's keys (JWKS) in a file; raises ``SettingsError``."""
    try:
        keys = read_token_keys(_content(file, KEYS_BYTES_MAX))
    except TokenKeysError as error:
        raise SettingsError(f"{file}: {error}") from None
    if not keys:
        raise SettingsError(f"{file} has no key that a token may be signed with")
    return keys


def _envelope(file: Path) -> Envelope:
    try:
        return Envelope.decode(_content(file, POLICY_BYTES_MAX))
    except MalformedError as error:
        told = f"{file} is no signed policy ({error}): sixgate release policy makes one"
        raise SettingsError(told) from None


def _content(file: Path, bytes_max: int) -> bytes:
    """Read a file of a bounded size; raises ``SettingsError``."""
    try:
        with file.open("rb") as opened:
            content = opened.read(bytes_max + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > bytes_max:
        raise SettingsError(f"{file} has more than {bytes_max} bytes")
    return content

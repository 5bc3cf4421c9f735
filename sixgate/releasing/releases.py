"""Releases of a signer without a KMS: opens one connection per provider of its settings."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from schemas.registry.custody import PROVIDERS
from signer.attestation.attestor import Attestor
from signer.attestation.device.platform import PlatformUnavailableError
from signer.attestation.release.client.exchange import Requester
from signer.attestation.release.client.kms import ReleasedKms, Transport
from signer.attestation.release.policy import ReleaseHolder
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.evidence import Evidence
from signer.custody.errors import KmsDeniedError, KmsUnavailableError, ProviderFailure
from signer.custody.kms.journal import JournaledRoot, KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from sixgate.clocks import wall_ms
from sixgate.config.releases import ProviderName, ReleasesSettings
from sixgate.releasing.link import ReleaseLink
from sixgate.releasing.policy_file import PolicyFile
from sixgate.releasing.release_holders import CurrentPolicy, ReleasedHolder, read_token

MARK = "releases.mark"
NO_ROOT = (
    "No release holds the keys of vaults without shares: name one with releases.root, or use a "
    "custody mode that splits keys."
)
NOT_ATTESTED = "The signer has no boot record yet, and sends no key request before: retry later."


class NoRoot:
    """The ``RootKms`` of a signer whose vaults all split their keys."""

    key_id = "none"

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:  # noqa: ARG002 - a port
        """Raise ``KmsDeniedError``."""
        raise KmsDeniedError(NO_ROOT)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:  # noqa: ARG002 - a port
        """Raise ``KmsDeniedError``."""
        raise KmsDeniedError(NO_ROOT)


class SignerReleases:
    """The releases in a signer's settings (``ReleasedKeys``).

    ``attested_by`` sets the attestor after construction; without one no request is sent. Before the
    boot record exists, only the signer's identity can be requested.
    """

    def __init__(self, settings: ReleasesSettings, folder: Path, opened: ExitStack) -> None:
        """Load the policy; ``opened`` closes the connections. Raises ``SettingsError``."""
        file = PolicyFile(settings.policy, folder / MARK, settings.trust(), wall_ms)
        policy = CurrentPolicy(file, wall_ms)
        self._attestor: Callable[[], Attestor | None] = lambda: None
        self._root = settings.root
        self._policy = policy
        self._addresses = dict(sorted(settings.at.items(), key=lambda one: PROVIDERS.index(one[0])))
        self._links = {
            name: opened.enter_context(closing(ReleaseLink(address)))
            for name, address in self._addresses.items()
        }

    def attested_by(self, attestor: Attestor) -> None:
        """Use this attestor for all later requests."""
        self._attestor = lambda: attestor

    def identity_holders(self, journal: KmsJournal) -> Holders:
        """Return holders for the signer's identity; requests name a start, not a boot."""
        return self._make_holders(journal, Attestor.start_requester)

    def holders(self, journal: KmsJournal) -> Holders:
        """Return holders for the vaults' keys. The journal records every call."""
        return self._make_holders(journal, Attestor.requester)

    def _make_holders(
        self, journal: KmsJournal, requester_of: Callable[[Attestor], Requester | None]
    ) -> Holders:
        by_name = {
            name: JournaledRoot(self._holder(name, requester_of), journal)
            for name in self._addresses
        }
        root: RootKms = by_name[self._root] if self._root else NoRoot()
        return Holders(
            root, tuple(Provider(name, kms, _ignore_failure) for name, kms in by_name.items())
        )

    def _holder(
        self, name: ProviderName, requester_of: Callable[[Attestor], Requester | None]
    ) -> ReleasedHolder:
        token = self._addresses[name].token

        def make_kms(holder: ReleaseHolder, transport: Transport) -> ReleasedKms:
            attestor = self._attestor()
            requester = requester_of(attestor) if attestor else None
            if requester is None:
                raise KmsUnavailableError(NOT_ATTESTED)
            read, random_bytes = partial(read_token, token), secrets.token_bytes
            return ReleasedKms(holder, requester, transport, self._attest, read, random_bytes)

        return ReleasedHolder(name, self._policy, self._links[name], make_kms)

    def _attest(self, binding: Binding) -> Evidence:
        attestor = self._attestor()
        if attestor is None:
            raise PlatformUnavailableError("the signer has no attestor yet")
        return attestor.release_evidence(binding)


def _ignore_failure(_failure: ProviderFailure) -> None:
    """Ignore a failure without a waiting caller: journal and release have recorded the call."""

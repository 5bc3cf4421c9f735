"""How a signer is put together that has no KMS: its keys are held by releases alone."""

import secrets
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from schemas.custody import PROVIDERS
from signer.attestation.attestor import Attestor
from signer.attestation.binding import Binding
from signer.attestation.platform import PlatformUnavailableError
from signer.attestation.release.client import Asking
from signer.attestation.release.kms import ReleasedKms, Transport
from signer.attestation.release.policy import ReleaseHolder
from signer.attestation.verify import Evidence
from signer.custody.errors import KmsDeniedError, KmsUnavailableError
from signer.custody.failures import ProviderFailure
from signer.custody.kms.journal import JournaledRoot, KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from sixgate.clocks import wall_ms
from sixgate.releasing.link import ReleaseLink
from sixgate.releasing.policy_file import PolicyFile
from sixgate.releasing.release_holders import CurrentPolicy, ReleasedHolder, read_token
from sixgate.settings.release import ProviderName, ReleasesSettings

MARK = "releases.mark"
NO_ROOT = (
    "No release holds the keys of vaults without shares: name one with releases.root, or use a "
    "custody mode that splits keys."
)
NOBODY = "This signer has not said yet who it is, and no release is asked before: try again."


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
    """The releases that a signer's settings name (``ReleasedKeys``).

    Made before anybody speaks for the signer: ``attested_by`` says later who does, and until then
    nothing is asked; nor, but for its identity, until it has a boot.
    """

    def __init__(self, settings: ReleasesSettings, folder: Path, opened: ExitStack) -> None:
        """Take the policy; ``opened`` closes what is opened. Raises ``SettingsError``."""
        file = PolicyFile(settings.policy, folder / MARK, settings.trust(), wall_ms)
        policy = CurrentPolicy(file, wall_ms)
        self._attestor: Callable[[], Attestor | None] = lambda: None
        self._root = settings.root
        self._policy = policy
        self._at = dict(sorted(settings.at.items(), key=lambda one: PROVIDERS.index(one[0])))
        self._links = {
            name: opened.enter_context(closing(ReleaseLink(address)))
            for name, address in self._at.items()
        }

    def attested_by(self, attestor: Attestor) -> None:
        """Let this attestor speak for the signer."""
        self._attestor = lambda: attestor

    def starting(self, journal: KmsJournal) -> Holders:
        """Return who opens the signer's own identity, which is asked for in the name of a start."""
        return self._held(journal, Attestor.starting)

    def holders(self, journal: KmsJournal) -> Holders:
        """Return who holds keys, each call of which is written into the journal."""
        return self._held(journal, Attestor.asking)

    def _held(self, journal: KmsJournal, who: Callable[[Attestor], Asking | None]) -> Holders:
        held = {name: JournaledRoot(self._holder(name, who), journal) for name in self._at}
        root: RootKms = held[self._root] if self._root else NoRoot()
        return Holders(root, tuple(Provider(name, kms, _heard) for name, kms in held.items()))

    def _holder(
        self, name: ProviderName, who: Callable[[Attestor], Asking | None]
    ) -> ReleasedHolder:
        token = self._at[name].token

        def made(holder: ReleaseHolder, transport: Transport) -> ReleasedKms:
            attestor = self._attestor()
            asking = who(attestor) if attestor else None
            if asking is None:
                raise KmsUnavailableError(NOBODY)
            read, random_bytes = partial(read_token, token), secrets.token_bytes
            return ReleasedKms(holder, asking, transport, self._attest, read, random_bytes)

        return ReleasedHolder(name, self._policy, self._links[name], made)

    def _attest(self, binding: Binding) -> Evidence:
        attestor = self._attestor()
        if attestor is None:
            raise PlatformUnavailableError("nobody speaks for this signer")
        return attestor.release_evidence(binding)


def _heard(_failure: ProviderFailure) -> None:
    """Take note of nothing: journal and release have the call, whoever still waited for it."""

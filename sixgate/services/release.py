"""``sixgate release``: the process of one provider's release.

1. Open the provider's root key, and with it the release's sealing and signing key.
2. Lock the keys against a second process; load the policy (``policy_file``).
3. Serve nonces and answers. Each answer is on the topic ``releases`` before it is sent. A write
   with an unknown result ends the process without an answer.
   *If the process ends here, all unused nonces become invalid; the signer's next request gets a new
   one.*
4. Reload policy and token keys every ``RELOAD_S``.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

from schemas.keys.release import AnyDecision, ReleaseRefused, decode_decision
from schemas.record import Outgoing
from schemas.topics import Principal, Topic
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.service import ReleaseService
from signer.attestation.release.judge.token_keys import (
    KEYS_BYTES_MAX,
    TokenKey,
    TokenKeysError,
    read_token_keys,
)
from signer.attestation.release.policy import ReleasePolicy
from signer.attestation.release.request import REQUEST_BYTES_MAX
from signer.custody.kms.hsm_guard import require_hsm
from signer.custody.kms.port import ProviderKms, RootKms
from signer.custody.kms.roots import RotatedRoot
from sixgate.backends.kafka.appender import Appender, sending
from sixgate.clocks import wall_ms
from sixgate.config.kms import KmsSettings
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers
from sixgate.releasing.keys import ReleaseName, exclusive_lock, open_keys
from sixgate.releasing.policy_file import LastGood, PolicyFile, read_bounded
from sixgate.releasing.serving import ReleaseApp
from sixgate.remote_calls.process_server import listen_config, serving_clients
from sixgate.services.first_failure import FirstFailure
from sixgate.services.monitor import Monitor
from sixgate.services.process import protect_memory
from sixgate.services.start_checks import check_declared

SECTION = "release"
CLIENT = "sixgate-release"
DECISION = "a decision of the release"
RELOAD_S = 2.0
_LOG = logging.getLogger("sixgate.release")


def only_kms(settings: KmsSettings) -> RootKms:
    """Open the root key of the only KMS in the settings, and its former root key if named.

    A release with the rights of two providers could combine the shares of a data key. Raises
    ``SettingsError``, ``CustodyError``.
    """
    found, former = providers(settings), providers(settings.former)
    sections = [f"[kms.{name}]" for name in found] + [f"[kms.former.{name}]" for name in former]
    if len(found) != 1 or not former.keys() <= found.keys():
        raise SettingsError(
            "a release uses the root key of one provider, but the settings name "
            f"{', '.join(sections) or 'no KMS'}: leave exactly one"
        )
    current, *before = (
        _guarded(opened(), settings) for opened in [*found.values(), *former.values()]
    )
    return RotatedRoot(current, tuple(before)) if before else current


def _guarded(kms: ProviderKms, settings: KmsSettings) -> ProviderKms:
    if not settings.insecure_dev:
        require_hsm(kms.key_id, kms.check())
    return kms


class TopicRecorder:
    """A ``Recorder`` on the topic ``releases``: records each decision before its answer is sent.

    It must not be called from the sender's loop.
    """

    def __init__(self, appender: Appender, on_recorded: Callable[[str, str], None]) -> None:
        """Call ``on_recorded`` with type and reason of each recorded decision."""
        self._appender = appender
        self._on_recorded = on_recorded

    def record(self, event: bytes) -> None:
        """Append a decision durably; raises as ``Appender.append`` does."""
        self._appender.append([Outgoing(Topic.RELEASES, "", event)])
        self._on_recorded(*_kind(decode_decision(event)))


class ReleaseProcess:
    """Serves key releases of one provider until it is stopped."""

    role: ClassVar[str] = "release"

    def __init__(self, settings: Settings) -> None:
        """Open all keys; raises ``FolderError``, ``CustodyError``, ``SettingsError``."""
        # Before the first key is in memory: no other process of this user can read it there.
        protect_memory()
        release = settings.release_section()
        self._settings, self._release = settings, release
        self._name = ReleaseName(release.org, release.provider)
        self._folder = Folder(settings.data)
        # 1. Keys.
        self._kms = only_kms(settings.kms)
        self._keys = open_keys(self._folder, self._name, self._kms)
        mark = self._name.mark(self._folder)
        self._policy_file = PolicyFile(release.policy, mark, release.trust(), wall_ms)
        self.monitor = Monitor(self.role, lambda: ())

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; raise the error that ends the process."""
        kafka = self._settings.kafka
        broker = kafka.broker(CLIENT)
        await check_declared(kafka, broker, 1, Principal.RELEASE)
        failure = FirstFailure()
        async with AsyncExitStack() as opened:
            # 2. Lock before the policy is loaded: the mark has one writer.
            opened.enter_context(exclusive_lock(self._folder, self._name))
            sender = await opened.enter_async_context(sending(broker, lambda: 1))
            appender = Appender(sender, asyncio.get_running_loop(), DECISION)
            service = self._open_service(TopicRecorder(appender, self.monitor.decided))
            # 3. Serve.
            app = ReleaseApp(service, failure)
            listening = listen_config(SECTION, self._release, _LOG)
            await opened.enter_async_context(serving_clients(app, listening, REQUEST_BYTES_MAX))
            self.monitor.ready_while(lambda: self._policy.content.in_force(wall_ms()))
            self.monitor.ready()
            _LOG.info(
                "release.serving",
                extra={
                    "release": self._name.name,
                    "address": listening.address,
                    "policy": self._policy.content.sequence,
                },
            )
            # 4. Reload.
            await failure.wait(stop, self._reload_often(service))

    def _open_service(self, recorder: TopicRecorder) -> ReleaseService:
        self._policy = LastGood(self._policy_file.load)
        self._token_keys = LastGood(self._read_token_keys)
        self._require_audience(self._policy.content)
        with self._policy_errors():
            return ReleaseService(
                ReleaseIdentity(
                    self._name.provider,
                    self._policy.content,
                    self._token_keys.content,
                    self._keys.sealing,
                ),
                self._kms,
                self._keys.signer,
                recorder,
                wall_ms,
                secrets.token_bytes,
            )

    async def _reload_often(self, service: ReleaseService) -> None:
        while True:
            await asyncio.sleep(RELOAD_S)
            await asyncio.to_thread(self._reload, service)

    def _reload(self, service: ReleaseService) -> None:
        """Reload both files; an unusable one leaves its previous content in effect.

        A newer signed policy that no longer names this release ends the process: continuing would
        overrule the admin.
        """
        before = self._policy.content
        policy, token_keys = self._policy.reload(), self._token_keys.reload()
        if policy != before:
            _LOG.info("release.policy_adopted", extra={"policy": policy.sequence})
        self._require_audience(policy)
        with self._policy_errors():
            service.renew(policy, token_keys)

    def _read_token_keys(self) -> tuple[TokenKey, ...]:
        return _token_keys_in(self._release.token_keys)

    def _require_audience(self, policy: ReleasePolicy) -> None:
        holder = policy.holder(self._name.provider)
        if holder is not None and holder.audience != self._release.audience:
            raise SettingsError(
                f"{self._release.policy} wants tokens for {holder.audience}, and [release] has the "
                f"audience {self._release.audience}: correct one of them"
            )

    @contextmanager
    def _policy_errors(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise SettingsError(
                f"{self._release.policy}: {error}; sixgate release keys --show prints the required "
                "holder"
            ) from None


def _token_keys_in(file: Path) -> tuple[TokenKey, ...]:
    """Read the issuer's keys (JWKS) from a file; raises ``SettingsError``."""
    try:
        keys = read_token_keys(read_bounded(file, KEYS_BYTES_MAX))
    except TokenKeysError as error:
        raise SettingsError(f"{file}: {error}") from None
    if not keys:
        raise SettingsError(
            f"{file} has no usable token key (RS256 or ES256): fetch the issuer's JWKS again"
        )
    return keys


def _kind(decision: AnyDecision) -> tuple[str, str]:
    reason = decision.reason.value if isinstance(decision, ReleaseRefused) else ""
    return decision.type, reason

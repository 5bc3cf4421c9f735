"""``sixgate release``: one provider's release as a process of its own.

1. Open the provider's root key, and under it the release's own two keys. 2. Take the policy, never
an older one. 3. Serve nonces and answers; each answer is on the topic ``releases`` before it goes
out. 4. Read policy and the issuer's keys again every few seconds. A write whose fate is unknown
ends the process.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from typing import Any, ClassVar, NamedTuple, TypeVar

from schemas.topics import Principal
from signer.attestation.release.identity import ReleaseIdentity
from signer.attestation.release.policy import ReleasePolicy
from signer.attestation.release.service import ReleaseService
from signer.attestation.release.token_keys import TokenKey
from signer.custody.kms.hsm_guard import require_hsm
from signer.custody.kms.port import ProviderKms, RootKms
from signer.custody.kms.roots import Roots
from signer.custody.process import forbid_inspection
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.https.server import REQUESTS_MAX, Listening
from sixgate.https.tls import server_context
from sixgate.kms.factory import providers
from sixgate.releasing.keys import ReleaseName, alone, open_keys
from sixgate.releasing.policy_file import PolicyFile, token_keys_in
from sixgate.releasing.recording import DECISION, TopicRecorder
from sixgate.releasing.serving import ReleaseServer
from sixgate.scaled.appender import Appender, sending
from sixgate.scaled.monitor import Monitor
from sixgate.scaled.process import lock_memory_or_warn
from sixgate.scaled.settings import Settings
from sixgate.scaled.start_checks import refuse_weaker
from sixgate.settings.kms import KmsSettings
from sixgate.settings.release import ReleaseSettings

SECTION = "release"
CLIENT = "sixgate-release"
RENEW_S = 2.0
T = TypeVar("T")
_LOG = logging.getLogger("sixgate.release")


class LoadedFiles(NamedTuple):
    """What a release goes by."""

    policy: ReleasePolicy
    token_keys: tuple[TokenKey, ...]


def only_kms(settings: KmsSettings) -> RootKms:
    """Open the root key of the one KMS that a release has, and the one whose place it took.

    With the rights of two providers, one release could put the shares of a data key together.
    Raises ``SettingsError``, ``CustodyError``.
    """
    found, former = providers(settings), providers(settings.former)
    named = [f"[kms.{name}]" for name in found] + [f"[kms.former.{name}]" for name in former]
    if len(found) != 1 or not former.keys() <= found.keys():
        raise SettingsError(
            "a release uses the root key of one provider, and the settings name "
            f"{', '.join(named) or 'none'}: leave exactly one"
        )
    current, *before = (
        _guarded(opened(), settings) for opened in [*found.values(), *former.values()]
    )
    return Roots(current, tuple(before)) if before else current


def _guarded(kms: ProviderKms, settings: KmsSettings) -> ProviderKms:
    if not settings.insecure_dev:
        require_hsm(kms.key_id, kms.check())
    return kms


class ReleaseProcess:
    """Releases for one provider until it is stopped."""

    role: ClassVar[str] = "release"

    def __init__(self, settings: Settings) -> None:
        """Open root key and own keys; raises ``FolderError``, ``CustodyError``, ``SettingsError``.

        From before the first one is read, no other process of this user may look into this one.
        """
        forbid_inspection()
        lock_memory_or_warn()
        release = settings.released()
        self._settings, self._release = settings, release
        self._place = ReleaseName(release.org, release.provider)
        self._folder = Folder(settings.data)
        self._kms = only_kms(settings.kms)
        self._keys = open_keys(self._folder, self._place, self._kms)
        mark = self._place.mark(self._folder)
        self._policy = PolicyFile(release.policy, mark, release.trust(), wall_ms)
        self._told = ""
        self.monitor = Monitor(self.role, lambda: ())

    async def run(self, stop: asyncio.Event) -> None:
        """Raise what ends the process."""
        kafka = self._settings.kafka
        broker = kafka.broker(CLIENT)
        await refuse_weaker(kafka, broker, 1, Principal.RELEASE)
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        async with AsyncExitStack() as opened:
            opened.enter_context(alone(self._folder, self._place))
            sender = await opened.enter_async_context(sending(broker, lambda: 1))
            appender = Appender(sender, loop, DECISION)
            desk = self._desk(TopicRecorder(appender, self.monitor.decided))
            threads = ThreadPoolExecutor(REQUESTS_MAX, thread_name_prefix="release")
            opened.push_async_callback(asyncio.to_thread, threads.shutdown)

            def fail(error: BaseException) -> None:
                if not failed.done():
                    failed.set_exception(error)

            server = ReleaseServer(desk, _listening(self._release), threads, fail)
            await opened.enter_async_context(server.serving())
            self.monitor.ready_while(lambda: self._taken.policy.in_force(wall_ms()))
            self.monitor.ready()
            at = f"{self._release.host}:{self._release.port}"
            _LOG.info(
                "release.serving",
                extra={
                    "release": self._place.name,
                    "address": at,
                    "policy": self._taken.policy.sequence,
                },
            )
            renewing = asyncio.create_task(self._renew_often(desk))
            opened.callback(renewing.cancel)
            stopping = asyncio.create_task(stop.wait())
            opened.callback(stopping.cancel)
            works: set[asyncio.Future[Any]] = {renewing, stopping, failed}
            ended, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in ended:
                work.result()

    def _desk(self, recorder: TopicRecorder) -> ReleaseService:
        self._taken = taken = LoadedFiles(self._policy.take(), self._read_token_keys())
        self._require_audience(taken.policy)
        with self._naming():
            return ReleaseService(
                ReleaseIdentity(self._place.provider, *taken, self._keys.sealing),
                self._kms,
                self._keys.signer,
                recorder,
                wall_ms,
                secrets.token_bytes,
            )

    async def _renew_often(self, desk: ReleaseService) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await asyncio.to_thread(self._renew, desk)

    def _renew(self, desk: ReleaseService) -> None:
        """Go by the files as they are now; instead of one that is wrong, by what it said before.

        A policy that an admin signed and that does not name this release any more ends it.
        """
        before = self._taken
        policy = self._or_before(self._policy.take, before.policy)
        token_keys = self._or_before(self._read_token_keys, before.token_keys)
        if policy != before.policy:
            _LOG.info("release.policy_adopted", extra={"policy": policy.sequence})
        self._taken = LoadedFiles(policy, token_keys)
        self._require_audience(policy)
        with self._naming():
            desk.renew(policy, token_keys)

    def _or_before(self, read: Callable[[], T], before: T) -> T:
        try:
            found = read()
        except SettingsError as error:
            if self._told != str(error):
                _LOG.warning("release.file_rejected", extra={"detail": str(error)})
            self._told = str(error)
            return before
        return found

    def _read_token_keys(self) -> tuple[TokenKey, ...]:
        return token_keys_in(self._release.token_keys)

    def _require_audience(self, policy: ReleasePolicy) -> None:
        holder = policy.holder(self._place.provider)
        if holder is not None and holder.audience != self._release.audience:
            raise SettingsError(
                f"{self._release.policy} wants tokens for {holder.audience}, and the settings say "
                f"{self._release.audience}: mend one of them"
            )

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise SettingsError(
                f"{self._release.policy}: {error}; sixgate release keys --show prints the holder "
                "that it must name"
            ) from None


def _listening(release: ReleaseSettings) -> Listening:
    tls = server_context(release.tls, SECTION) if release.tls else None
    if tls is None:
        _LOG.warning("tls.absent", extra={"detail": "any client that reaches the port can connect"})
    return Listening(SECTION, release.host, release.port, tls, frozenset(release.clients))

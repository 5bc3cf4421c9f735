"""A client's share of a secret: taken out of the answer once, kept in a file, and sent sealed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from schemas.client_share import ClientShare, ClientShareContext
from signer.custody.buffers import wipe, wiping
from signer.custody.errors import CorruptError
from signer.custody.hpke import HpkeKey
from signer.custody.modes import PLANS
from signer.custody.process import forbid_inspection
from sixgate.api import ApiError, Json, RemoteApiError
from sixgate.authoring.secret_reader import SecretReader
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.progress import WAITING, progress
from sixgate.cli.secrets.files import read_hex, write_hex
from sixgate.cli.secrets.sealing_keys import kept_beside, kept_sealing_key, new_sealing_key
from sixgate.cli.session import Session, usage
from sixgate.cli.terminal import notices
from sixgate.data_folder.folder import Folder

REFUSALS = frozenset({"key_refused", "vault_refused", "access_refused", "registry_refused"})
"""Answers after which nothing was made, and nothing will be."""


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a client's share is sealed for: a key on disk until the share is.

    ``kept`` is its file, and ``stopped`` whether a command that was stopped left it there.
    """

    key: HpkeKey
    vault: Json
    path: str
    out: Path
    kept: Path
    stopped: bool = field(default=False)

    @property
    def share_for(self) -> str:
        """Return the public key that the share is to be sealed for."""
        return f"0x{self.key.public_key.hex()}"

    def made(self, here: Session, make: Callable[[], Json], again: str = "rotate it") -> Json:
        """Return what is made, or what a stopped command had made, once its share is kept.

        ``again`` says what to do where the answer holds no share.
        """
        org = here.registry["org"]
        forbid_inspection()  # before the share is here
        place = str(self.vault["account"]), str(self.vault["vault"]), self.path
        if self.stopped and (found := self.left(here.api.client_shares(*place), org)):
            self.keep(org, found, again)
            told = f"A command that was stopped had made version {found['version']}: its share is"
            notices().print(f"{told} in {self.out} now, and nothing else was made.", soft_wrap=True)
            return found
        with self._on_disk(), progress(WAITING):
            found = make()
        self.keep(org, found, again)
        return found

    def left(self, made: Sequence[Json], org: str) -> Json | None:
        """Return the newest version that was made for this key, of ``Api.client_shares``.

        Only what is proven counts, and by a key that the signer had when it was ordered: whoever
        writes to the bus could seal a share of his own for this key, and the real one would be
        lost with it.
        """
        return next((each for each in reversed(made) if self._opens(each, org)), None)

    def keep(self, org: str, made: Json, again: str) -> None:
        """Write the client's share of what was made into its file; then its key can go."""
        try:
            with wiping(self._opened(made, org)) as share:
                write_hex(self.out, share)
        except CorruptError:
            told = f"the client's share of {made['path']}, version {made['version']}, does not open"
            why = f"{told}, and nobody else has it: {again}, and do not use what was made"
            raise CommandError(ExitCode.FOLDER, why) from None
        except OSError as error:
            why = f"the client's share could not be kept in {self.out} ({error.strerror})"
            raise CommandError(
                ExitCode.FOLDER, f"{why}: mend that and run this again; {self.kept} opens it"
            ) from None
        self.kept.unlink(missing_ok=True)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        """Leave the key on disk unless it is known that nothing was made for it."""
        try:
            yield
        except (ApiError, CommandError) as error:
            if _is_sure(error) and not self.stopped:
                self.kept.unlink(missing_ok=True)
            else:
                self._tell()
            raise
        except KeyboardInterrupt:
            self._tell()
            raise

    def _tell(self) -> None:
        told = f"{self.kept} opens the client's share of what may have been made"
        notices().print(f"{told}: run the same command again.", highlight=False, soft_wrap=True)

    def _opens(self, made: Json, org: str) -> bool:
        try:
            wipe(self._opened(made, org))
        except CorruptError:
            return False
        return True

    def _opened(self, made: Json, org: str) -> bytearray:
        terms = {name: made[name] for name in ("account", "vault", "path", "version")}
        place = ClientShareContext(org=org, **terms)
        return self.key.open(bytes.fromhex(str(made["client_share"])[2:]), place.to_client())


def _is_sure(error: ApiError | CommandError) -> bool:
    """Tell whether nothing was made: any process may write to ``audit`` that something was not."""
    if isinstance(error, RemoteApiError):
        return False
    return isinstance(error, CommandError) or error.code in REFUSALS


def client_of(folder: Folder, vault: Json, path: str, share_out: Path | None) -> Client | None:
    """Return the client of what is made in a vault, where its mode has one.

    Ends the command where the share would go nowhere, or into the data folder: who has that would
    have all parts of the key.
    """
    if not PLANS[vault["mode"]].needs_client:
        if share_out is not None:
            usage(f"no client has a share in {vault['mode']}: leave --share-out out")
        return None
    if share_out is None:
        usage(f"who reads in {vault['mode']} brings the client's share: say --share-out FILE")
    if share_out.exists() or not share_out.parent.is_dir():
        usage(f"{share_out} is there already, or its folder is not: name a new file")
    folder.check_outside(share_out)
    kept = kept_beside(share_out)
    about = f"{vault['account']} {vault['vault']} {path}"
    stopped = kept.exists()
    key = kept_sealing_key(kept, about) if stopped else new_sealing_key(kept, about)
    return Client(key, vault, path, share_out, kept, stopped)


def was_stopped(share_out: Path | None) -> bool:
    """Return whether a command that was to fill this file was stopped before it did."""
    return share_out is not None and kept_beside(share_out).exists()


def brought(
    reader: SecretReader, vault: str, path: str, version: int | None, file: Path | None
) -> tuple[int | None, ClientShare | None]:
    """Return which version to ask for and the client's share of it, sealed, if there is a file.

    A share is one version's, so the newest one's number is asked for first.
    """
    if file is None:
        return version, None
    forbid_inspection()
    newest = version or reader.ask("history", vault, path)[-1].version
    with wiping(read_hex(file, "share")) as share:
        return newest, reader.share_of(vault, path, newest, share)

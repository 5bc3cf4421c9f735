"""Client shares: saves the share of a new version to a file, and sends it sealed on reads.

1. ``client_of`` writes a new sealing key next to the share's file, durably.
   *If the process ends before step 2, nothing was ordered; the next run uses the same key.*
2. ``Client.make_version`` orders the version; the signer seals the client share to that key.
   *If the process ends after it, the next run finds the version on the topic and continues with
   step 3.*
3. ``Client.save`` opens the share and writes it to its file, durably.
   *If the process ends after it, the share is saved; the sealing key is left over. Delete its
   file.*
4. It deletes the sealing key.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import wipe, wiping
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CorruptError
from signer.custody.hpke import KEY_BYTES, HpkeKey
from signer.custody.process import forbid_inspection
from sixgate.api import ApiError, Json, RemoteApiError
from sixgate.authoring.secret_reader import SecretReader
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.files import read_hex, read_own, write_hex
from sixgate.cli.session import Session
from sixgate.cli.terminal import WAITING, notice, progress
from sixgate.data_folder.folder import Folder

REFUSALS = frozenset({"key_refused", "vault_refused", "access_refused", "registry_refused"})
"""Error codes that prove that nothing was made and nothing will be."""
SUFFIX = ".sealing-key"
_FILE_BYTES_MAX = 1024
_HEX = 2 * KEY_BYTES


@dataclass(frozen=True, slots=True)
class Client:
    """The recipient of a client share: a sealing key that stays on disk until the share is saved.

    ``key_file`` is the sealing key's file; ``interrupted`` means an earlier command left it there.
    """

    key: HpkeKey
    vault: Json
    path: str
    out: Path
    key_file: Path
    interrupted: bool = field(default=False)

    @property
    def share_for(self) -> str:
        """Return the public key to which the share is sealed."""
        return f"0x{self.key.public_key.hex()}"

    def make_version(
        self, here: Session, make: Callable[[], Json], again: str = "rotate it"
    ) -> Json:
        """Return the version made now, or by an interrupted command, once its share is saved.

        ``again`` is the advice if the share does not open.
        """
        org = here.registry["org"]
        forbid_inspection()  # before the share is in memory
        location = str(self.vault["account"]), str(self.vault["vault"]), self.path
        if self.interrupted and (
            found := self.made_earlier(here.api.client_shares(*location), org)
        ):
            self.save(org, found, again)
            made = f"An interrupted command had already made version {found['version']}"
            notice(f"{made}: saved its share in {self.out}.")
            return found
        # 2. If the process ends here, the next run sees the key file and looks for the version on
        # the topic first.
        with self._deleting_unused_key(), progress(WAITING):
            found = make()
        self.save(org, found, again)
        return found

    def made_earlier(self, made: Sequence[Json], org: str) -> Json | None:
        """Return the newest of ``Api.client_shares`` whose share opens with this key.

        ``made`` has only events signed with a key that the signer had when the version was ordered.
        Otherwise anyone with write access to the bus could seal a false share to this key, and the
        real one would be lost.
        """
        return next((each for each in reversed(made) if self._opens(each, org)), None)

    def save(self, org: str, made: Json, again: str) -> None:
        """Write the client share of a version to its file, then delete the sealing key."""
        # 3. The sealing key stays until the share is durable. If the process ends here, the next
        # run repeats this.
        try:
            with wiping(self._opened(made, org)) as share:
                write_hex(self.out, share)
        except CorruptError:
            version = f"version {made['version']} of {made['path']}"
            why = f"the only copy of the client share of {version} does not open"
            raise CommandError(ExitCode.FOLDER, f"{why}: {again}; do not use this one") from None
        except OSError as error:
            why = f"cannot write the client share to {self.out} ({error.strerror})"
            raise CommandError(
                ExitCode.FOLDER, f"{why}: fix the problem and retry; {self.key_file} opens it"
            ) from None
        # 4. If the process ends before this line, the key file is left over. It opens the share on
        # the topic, so delete it.
        self.key_file.unlink(missing_ok=True)

    @contextmanager
    def _deleting_unused_key(self) -> Iterator[None]:
        """Delete the sealing key if it is certain that no version was made; otherwise keep it."""
        try:
            yield
        except (ApiError, CommandError) as error:
            if _nothing_was_made(error) and not self.interrupted:
                self.key_file.unlink(missing_ok=True)
            else:
                self._advise_retry()
            raise
        except KeyboardInterrupt:
            self._advise_retry()
            raise

    def _advise_retry(self) -> None:
        why = f"A version may have been made, and {self.key_file} opens its client share"
        notice(f"{why}: run the same command again.")

    def _opens(self, made: Json, org: str) -> bool:
        try:
            wipe(self._opened(made, org))
        except CorruptError:
            return False
        return True

    def _opened(self, made: Json, org: str) -> bytearray:
        terms = {name: made[name] for name in ("account", "vault", "path", "version")}
        context = ClientShareContext(org=org, **terms)
        return self.key.open(bytes.fromhex(str(made["client_share"])[2:]), context.to_client())


def _nothing_was_made(error: ApiError | CommandError) -> bool:
    """Return whether it is certain that nothing was made; a remote refusal could be forged."""
    # Any process may write to the topic ``audit``, where remote refusals come from.
    if isinstance(error, RemoteApiError):
        return False
    return isinstance(error, CommandError) or error.code in REFUSALS


def client_of(folder: Folder, vault: Json, path: str, share_out: Path | None) -> Client | None:
    """Return the client for a new version in a vault; None if the mode has no client share.

    Ends the command if the share has no destination, or one in the data folder: a copy of the
    folder would then contain every share of the key.
    """
    if not PLANS[vault["mode"]].needs_client:
        if share_out is not None:
            fail_usage(f"mode {vault['mode']} has no client share: omit --share-out")
        return None
    if share_out is None:
        fail_usage(
            f"mode {vault['mode']} has a client share: give a file for it with --share-out FILE"
        )
    if share_out.exists() or not share_out.parent.is_dir():
        fail_usage(f"{share_out} already exists, or its folder does not: choose a new file")
    folder.check_outside(share_out)
    # 1. If the process ends after the new key is written, nothing was ordered, and the next run
    # loads this key.
    key_file = sealing_key_file(share_out)
    about = f"{vault['account']} {vault['vault']} {path}"
    interrupted = key_file.exists()
    key = load_sealing_key(key_file, about) if interrupted else create_sealing_key(key_file, about)
    return Client(key, vault, path, share_out, key_file, interrupted)


def was_interrupted(share_out: Path | None) -> bool:
    """Return whether a command was interrupted before it wrote this share."""
    return share_out is not None and sealing_key_file(share_out).exists()


def sealed_client_share(
    reader: SecretReader, vault: str, path: str, version: int | None, file: Path | None
) -> tuple[int | None, ClientShare | None]:
    """Return the version to request, and its client share, sealed, if ``file`` is given.

    A share belongs to one version, so the number of the newest one is requested first.
    """
    if file is None:
        return version, None
    forbid_inspection()
    newest = version or reader.ask("history", vault, path)[-1].version
    with wiping(read_hex(file, "share")) as share:
        return newest, reader.share_of(vault, path, newest, share)


def sealing_key_file(share_out: Path) -> Path:
    """Return the file of the sealing key for the share in ``share_out``."""
    return share_out.with_name(share_out.name + SUFFIX)


def create_sealing_key(file: Path, about: str) -> HpkeKey:
    """Return a new key after writing it, with its purpose, durably to a private file."""
    with wiping(bytearray(secrets.token_bytes(KEY_BYTES))) as private:
        with wiping(bytearray(f"{private.hex()}\n{about}\n".encode())) as text:
            write_atomic(file, text, replace=False, mode=MODE_PRIVATE)
        return HpkeKey(private)


def load_sealing_key(file: Path, about: str) -> HpkeKey:
    """Return the key in a file; a key with another purpose ends the command."""
    with wiping(read_own(file, _FILE_BYTES_MAX)) as text:
        if text[_HEX:] != f"\n{about}\n".encode():
            what = bytes(text[_HEX:]).decode(errors="replace").strip() or "nothing"
            fail_usage(f"{file} is for the share of {what!a}: choose another --share-out")
        try:
            with wiping(bytearray.fromhex(text[:_HEX].decode("ascii"))) as private:
                return HpkeKey(private)
        except ValueError:
            fail_usage(f"{file} contains no key: choose another --share-out")

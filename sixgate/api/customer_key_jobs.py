"""Rotations of customer keys that the gateway makes for a customer, in the background.

The customer sends both keys, which are in memory for one job only. ``gateway.db`` has how far each
rotation came. A job:

1. Enrols the new key. *If the process ends here, every value opens under an enrolled key.*
2. Re-encrypts the newest versions in batches, each as the next version of its secret.
   *If the process ends here, moved versions stay, and the rotation is failed at the next start.
   The same request continues with the others.*

A customer who re-encrypts with ``sixgate cmek rotate`` never sends a key.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from schemas.registry.records import CustomerKeySet
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CmekRefusedError, CorruptError
from signer.keys.access import KEY_KINDS
from sixgate.api import Json
from sixgate.api.callers import Caller
from sixgate.api.problems import Problem
from sixgate.api.secret_reading import living_versions
from sixgate.api.services import Services
from sixgate.api.vault_lookup import KnownVault, fingerprints_of, history_of, reader_for
from sixgate.api_error import ApiError, retry_overtaken
from sixgate.authoring.customer_key import CustomerKey
from sixgate.authoring.customer_rotation import CustomerRotation
from sixgate.authoring.vault_orders import NewSecret, store
from sixgate.gateway.secret_versions import Terms

ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The former and the next customer key."""

    old: CustomerKey
    new: CustomerKey


def start_rotation(services: Services, caller: Caller, known: KnownVault, keys: KeyPair) -> str:
    """Enrol the new key and start re-encrypting; return the id of the running rotation.

    Raises a problem, before anything changes, unless the old key is the enrolled one.
    """
    continues = _check_keys(services, known, keys)
    rotation_id = services.new_id()
    if not services.rotations.begin(rotation_id, known.id):
        raise Problem(409, "rotation_running", f"Vault {known.id} is being rotated already.")
    try:
        if not continues:
            # 1. From here on the vault refuses values under the old key.
            entry = CustomerKeySet(
                account=services.account, vault=known.id, fingerprint=keys.new.fingerprint
            )
            services.desk.register([entry])
        job = _Job(services, caller, known, keys, rotation_id)
        job.count()
    except BaseException:
        services.rotations.fail(rotation_id, "The rotation could not begin.")
        raise
    threading.Thread(target=job.run, name=f"cmek-{rotation_id}", daemon=True).start()
    return rotation_id


def _check_keys(services: Services, known: KnownVault, keys: KeyPair) -> bool:
    """Return whether an interrupted rotation continues; raise a problem for wrong keys."""
    enrolled = fingerprints_of(services, known.vault)
    old, new = keys.old.fingerprint, keys.new.fingerprint
    if not enrolled:
        raise Problem(409, "cmek_disabled", f"Vault {known.id} has no customer key.")
    if PLANS[known.vault.mode].needs_client:
        raise Problem(
            409,
            "client_share_needed",
            f"Vault {known.id} needs a client share for each read: store its secrets again, each "
            "encrypted under the new key.",
        )
    if enrolled[-1] == new and old in enrolled[:-1]:
        return True
    if enrolled[-1] != old or new in enrolled:
        raise Problem(
            409,
            "cmek_key_wrong",
            f"Vault {known.id} has the customer key {enrolled[-1].removeprefix('0x')}: the old key "
            "must be that key, and the new key one that the vault never had.",
        )
    return False


@dataclass(frozen=True, slots=True)
class _Job:
    """Re-encrypts the values of one vault for one rotation."""

    services: Services
    caller: Caller
    known: KnownVault
    keys: KeyPair = field(repr=False)
    rotation_id: str

    def count(self) -> None:
        """Count the secrets to re-encrypt."""
        newest = list(self._newest())
        total = sum(1 for found in newest if self._is_movable(*found))
        self.services.rotations.count(self.rotation_id, total=total, skipped=len(newest) - total)

    def run(self) -> None:
        """Move all values and end the job; runs in its own thread."""
        try:
            self._move_all()
        except (CmekRefusedError, CorruptError) as error:
            self._fail(str(error))
        except ApiError as error:
            self._fail(f"{error}.")
        except BaseException as error:
            self._fail(f"A defect in Sixgate ({type(error).__name__}).")
            raise
        else:
            self.services.rotations.complete(self.rotation_id)

    def _move_all(self) -> None:
        """Move batch after batch; begin again if another request stored a version meanwhile."""
        left = retry_overtaken(self._move, "vault_refused")
        if left:
            raise ApiError(
                "vault_refused",
                f"{len(left)} secrets are under an earlier customer key, for example {left[0]}: "
                "rotate with that key as the old one",
            )

    def _move(self) -> list[str]:
        """Move the values that are not moved yet; return the paths under an earlier key."""
        rotation = self._rotation()
        # 2. Each stored version is durable when it is counted.
        for _ in rotation.move(
            [one for one, terms in self._newest() if self._is_movable(one, terms)]
        ):
            self.services.rotations.moved(self.rotation_id)
        return rotation.left

    def _rotation(self) -> CustomerRotation:
        enrolled = fingerprints_of(self.services, self.known.vault)
        return CustomerRotation(
            org=self.services.org,
            vault_id=self.known.order_id,
            old=self.keys.old,
            new=self.keys.new,
            read=self._read,
            store=self._store,
            random_bytes=lambda size: bytes.fromhex(self.services.random_hex(size)),
            others=frozenset(enrolled) - {self.keys.old.fingerprint, self.keys.new.fingerprint},
        )

    def _newest(self) -> Iterator[tuple[Json, Terms]]:
        """Yield the newest version of each secret that was not deleted, and its terms."""
        with self.services.backend.read.unchanged():
            versions = self.services.backend.read.vaults.secrets.versions
            paths = sorted(path for *vault, path in versions if tuple(vault) == self.known.vault.id)
        for path in paths:
            if found := living_versions(self.services, self.known, path):
                newest = found[-1]
                terms = self.services.secret_versions.get(self.known.id, path, newest.version)
                yield {"path": path, "version": newest.version, "kind": newest.kind}, terms

    def _is_movable(self, newest: Json, terms: Terms) -> bool:
        """Return whether a value can be moved: beside a signing key no private key is read."""
        keys = self.services.backend.read.vaults.keys
        signs = newest["kind"] in KEY_KINDS and keys.find(self.services.account, newest["path"])
        return terms.layered and not terms.disabled and not signs

    def _read(self, path: str, version: int) -> bytes:
        reader = reader_for(self.services, self.caller)
        (found,) = reader.ask("export", self.known.vault.name, path, version)
        return bytes.fromhex(str(found.value)[2:])  # encrypted by the customer: no wipe

    def _store(self, new: NewSecret) -> Json:
        """Store a moved value with the terms of the version before it."""
        versions, vault = self.services.secret_versions, self.known.id
        with versions.changing(vault, new.path):
            if len(history_of(self.services, self.known.vault, new.path)) + 1 != new.version:
                raise ApiError("vault_refused", f"version {new.version} does not follow")
            before = versions.get(vault, new.path, new.version - 1)
            terms = replace(before, version=new.version, created_by=self.caller.actor)
            former = versions.put(terms)
            try:
                return store(self.services.desk.orderer(), self.known.order_id, new)
            except ApiError as error:
                if error.code == "vault_refused":
                    versions.restore(terms, former)  # certainly not made
                raise

    def _fail(self, why: str) -> None:
        self.services.rotations.fail(self.rotation_id, why)

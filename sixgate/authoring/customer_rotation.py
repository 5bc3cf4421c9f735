"""Rotates a customer key: re-encrypts a vault's secrets in batches, on the customer's side.

Versions never change, so each value under the old key becomes the next version, under the new key.
Both stay readable meanwhile. For each batch:

1. Read its newest versions; refuse the batch if one is under an unknown key.
2. Re-encrypt those under the old key, and prove that the results open.
3. Store each as the next version. *Wherever the process ends, the next run continues with the
   values that are still under the old key.*
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from signer.custody.buffers import RandomBytes
from signer.custody.cmek import CmekContext, layer_of
from signer.custody.errors import CmekRefusedError
from sixgate.api import Json
from sixgate.authoring.customer_key import CustomerKey, rekeyed
from sixgate.authoring.vault_orders import NewSecret, VaultId

BATCH_MAX = 100

VersionId: TypeAlias = tuple[str, int]
"""A path and a version in the rotated vault."""


@dataclass(frozen=True, slots=True)
class CustomerRotation:
    """Rotation of one vault from one customer key to another.

    ``read`` returns a version's value as stored, ``store`` orders the next version. ``others`` are
    the fingerprints of the vault's other enrolled keys. Values under one of them are skipped; their
    paths are in ``left``, for a rotation from that key.
    """

    org: str
    vault_id: VaultId
    old: CustomerKey
    new: CustomerKey
    read: Callable[[str, int], bytes]
    store: Callable[[NewSecret], Json]
    random_bytes: RandomBytes
    others: frozenset[str] = frozenset()
    left: list[str] = field(default_factory=list)

    def move(self, secrets: Iterable[Json]) -> Iterator[Json]:
        """Re-encrypt the newest versions of ``secrets``; yield what ``store`` returned for each.

        ``secrets`` is in the order of ``Api.vault``. Raises ``CmekRefusedError`` for a value under
        an unknown key, and ``CorruptError`` for one that does not open; nothing of the batch is
        stored then.
        """
        newest = iter({one["path"]: one for one in secrets}.values())
        while batch := list(islice(newest, BATCH_MAX)):
            for new in self._rekeyed(batch):  # 1. and 2.
                yield self.store(new)  # 3.

    def _rekeyed(self, batch: list[Json]) -> list[NewSecret]:
        values = {(one["path"], one["version"]): self._read(one) for one in batch}
        kinds = {one["path"]: one["kind"] for one in batch}
        self._skip_others(values)
        behind = under_old(self.old.fingerprint, self.new.fingerprint, values)
        return [
            NewSecret(path, version + 1, kinds[path], self._rekeyed_value(path, version, values))
            for path, version in behind
        ]

    def _skip_others(self, values: dict[VersionId, bytes]) -> None:
        """Remove values that an unfinished earlier rotation left under another key."""
        for name in [name for name, value in values.items() if layer_of(value) in self.others]:
            self.left.append(name[0])
            del values[name]

    def _read(self, one: Json) -> bytes:
        return self.read(one["path"], one["version"])

    def _rekeyed_value(self, path: str, version: int, values: Mapping[VersionId, bytes]) -> bytes:
        context = CmekContext(org=self.org, **self.vault_id._asdict(), path=path, version=version)
        return rekeyed(self.old, self.new, context, values[path, version], self.random_bytes)


def under_old(old: str, new: str, values: Mapping[VersionId, bytes]) -> list[VersionId]:
    """Return the versions under the key with fingerprint ``old``, in the given order.

    Raises ``CmekRefusedError`` for a value under neither key.
    """
    behind = []
    for name, value in values.items():
        under = layer_of(value)
        if under not in (old, new):
            raise CmekRefusedError(
                f"{name[0]}, version {name[1]}, is under neither key of the rotation: encrypt it "
                "under the enrolled key first."
            )
        if under == old:
            behind.append(name)
    return behind

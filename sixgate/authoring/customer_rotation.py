"""From one customer's key to the next, in batches, while both can be read: the customer's side.

No version of a secret ever changes, so what is under the old key becomes the next version under the
new one. What is left follows from the stored values: a rotation that was stopped goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from signer.custody.buffers import RandomBytes
from signer.custody.cmek import CmekContext, layer_of
from signer.custody.errors import CmekRefusedError
from sixgate.api import Json
from sixgate.authoring.customer_key import CustomerKey, moved
from sixgate.authoring.vault_orders import NewSecret, VaultId

BATCH_MAX = 100

Slot: TypeAlias = tuple[str, int]
"""A path and a version in the vault that is rotated."""


@dataclass(frozen=True, slots=True)
class CustomerRotation:
    """The rotation of an organisation's vault from one customer's key to another.

    ``read`` returns a version as the server has it, ``store`` has it make the next one. ``others``
    are the fingerprints of further keys that the vault's customer had; what is under one of them
    stays so, and its path is in ``left``, for a rotation from that key.
    """

    org: str
    place: VaultId
    old: CustomerKey
    new: CustomerKey
    read: Callable[[str, int], bytes]
    store: Callable[[NewSecret], Json]
    random_bytes: RandomBytes
    others: frozenset[str] = frozenset()
    left: list[str] = field(default_factory=list)

    def move(self, secrets: Iterable[Json]) -> Iterator[Json]:
        """Move the newest of these versions to the new key; yield what ``store`` returned of each.

        They come in order, as ``Api.vault`` lists them. Raise ``CmekRefusedError`` for one under
        no key that the vault had, and ``CorruptError`` for one that does not open: its batch is
        left as it was.
        """
        newest = iter({one["path"]: one for one in secrets}.values())
        while batch := list(islice(newest, BATCH_MAX)):
            for new in self._renewed(batch):
                yield self.store(new)

    def _renewed(self, batch: list[Json]) -> list[NewSecret]:
        values = {(one["path"], one["version"]): self._read(one) for one in batch}
        kinds = {one["path"]: one["kind"] for one in batch}
        self._set_aside(values)
        behind = under_old(self.old.fingerprint, self.new.fingerprint, values)
        return [
            NewSecret(path, version + 1, kinds[path], self._moved(path, version, values))
            for path, version in behind
        ]

    def _set_aside(self, values: dict[Slot, bytes]) -> None:
        """Take out what a rotation that never ended left under a key from before."""
        for slot in [slot for slot, value in values.items() if layer_of(value) in self.others]:
            self.left.append(slot[0])
            del values[slot]

    def _read(self, one: Json) -> bytes:
        return self.read(one["path"], one["version"])

    def _moved(self, path: str, version: int, values: Mapping[Slot, bytes]) -> bytes:
        place = CmekContext(org=self.org, **self.place._asdict(), path=path, version=version)
        return moved(self.old, self.new, place, values[path, version], self.random_bytes)


def under_old(old: str, new: str, values: Mapping[Slot, bytes]) -> list[Slot]:
    """Return which values are under the key of the fingerprint ``old``, in the order given.

    Raise ``CmekRefusedError`` for a value under neither key.
    """
    behind = []
    for slot, value in values.items():
        under = layer_of(value)
        if under not in (old, new):
            raise CmekRefusedError(
                f"{slot[0]}, version {slot[1]}, is under neither key of the rotation: put it under "
                "the enrolled key first."
            )
        if under == old:
            behind.append(slot)
    return behind

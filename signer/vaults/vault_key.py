"""The keys of a vault that wrap the data keys in it; pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A vault's KEKs, numbered from 1 by what the last of them is.

    ``numbers`` has every wrapping that a KEK ever had, ``newest`` the last one of each; ``changes``
    counts new KEKs and new roots.
    """

    numbers: dict[bytes, int] = field(repr=False)
    newest: dict[int, bytes] = field(repr=False)
    changes: int = 0

    @property
    def current(self) -> bytes:
        """The wrapping that is used for what is sealed next."""
        return self.newest[max(self.newest)]

    def is_current(self, wrapped_kek: bytes) -> bool:
        """Tell whether a wrapping, old or new, is one of the KEK that is used now."""
        return self.numbers.get(wrapped_kek) == max(self.newest)

    def changed(self, wrapped_kek: bytes, *, to_new_kek: bool) -> "VaultKey":
        """Return the key after its next change."""
        number = max(self.newest) + to_new_kek
        numbers, newest = self.numbers | {wrapped_kek: number}, self.newest | {number: wrapped_kek}
        return VaultKey(numbers, newest, self.changes + 1)

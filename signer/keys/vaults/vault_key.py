"""The KEKs of a vault, which wrap its data keys, with all their wrappings; pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A vault's KEKs, numbered from 1; the highest number is in use.

    ``numbers`` maps every wrapping that a KEK ever had to the KEK's number; ``newest`` maps each
    number to the newest wrapping. ``changes`` counts new KEKs and new roots.
    """

    numbers: dict[bytes, int] = field(repr=False)
    newest: dict[int, bytes] = field(repr=False)
    changes: int = 0

    @property
    def current(self) -> bytes:
        """The wrapped KEK under which new versions are sealed."""
        return self.newest[max(self.newest)]

    def is_current(self, wrapped_kek: bytes) -> bool:
        """Return whether a wrapping, old or new, is of the KEK in use."""
        return self.numbers.get(wrapped_kek) == max(self.newest)

    def changed(self, wrapped_kek: bytes, *, to_new_kek: bool) -> "VaultKey":
        """Return the key after its next change."""
        number = max(self.newest) + to_new_kek
        numbers, newest = self.numbers | {wrapped_kek: number}, self.newest | {number: wrapped_kek}
        return VaultKey(numbers, newest, self.changes + 1)

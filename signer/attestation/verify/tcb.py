"""Processor generations, and TCB_VERSION: eight bytes whose layout depends on the generation.

Source: AMD SEV-SNP ABI (56860), TCB_VERSION; the layout of Turin differs.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Layout: TypeAlias = tuple[str | None, ...]

FIRST_LAYOUT: Layout = ("boot_loader", "tee", None, None, None, None, "snp", "microcode")
"""Milan, Genoa, Bergamo, Siena; None is a reserved byte, which is zero."""
TURIN_LAYOUT: Layout = ("fmc", "boot_loader", "tee", "snp", None, None, None, "microcode")


class Generation(StrEnum):
    """A generation with a pinned root; Bergamo and Siena belong to Genoa."""

    MILAN = "milan"
    GENOA = "genoa"
    TURIN = "turin"


class Tcb(NamedTuple):
    """Security versions (SVN) of the firmware components, 0 to 255; only Turin has ``fmc``."""

    boot_loader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    def below(self, floor: "Tcb") -> tuple[str, ...]:
        """Return the components below the floor, each compared separately; None counts as 0."""
        pairs = zip(self._fields, self, floor, strict=True)
        return tuple(name for name, actual, minimum in pairs if (actual or 0) < (minimum or 0))

    def plain(self) -> dict[str, int]:
        """Return the components by name, without those that the generation lacks."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def decode_tcb(raw: bytes, layout: Layout) -> Tcb | None:
    """Decode eight bytes; return None if a reserved byte of the layout is not zero."""
    components = dict(zip(layout, raw, strict=True))
    if any(value for name, value in zip(layout, raw, strict=True) if name is None):
        return None
    return Tcb(**{name: value for name, value in components.items() if name is not None})


def encode_tcb(tcb: Tcb, layout: Layout) -> bytes:
    """Encode a TCB in eight bytes."""
    components = tcb.plain()
    return bytes(components.get(name, 0) if name else 0 for name in layout)


@dataclass(frozen=True, slots=True)
class Tcbs:
    """The four TCBs of a report. The VCEK is derived for ``reported``."""

    current: Tcb
    reported: Tcb
    committed: Tcb
    launch: Tcb

"""configfs-tsm: reports through a folder of the kernel's, from Linux 6.7 on.

Source: Linux, Documentation/ABI/testing/configfs-tsm-report. Every request has a folder of its own;
``generation`` counts what was written, so that another's write between ours and the reading shows.
"""

from pathlib import Path
from typing import Protocol

from signer.attestation.binding import Binding
from signer.attestation.platform import (
    VMPL,
    AnswerMalformedError,
    Collected,
    PlatformUnavailableError,
    collected,
)

REPORTS = Path("/sys/kernel/config/tsm/report")
PROVIDER = b"sev_guest"


class Attributes(Protocol):
    """What configfs does: a folder appears with its attributes and goes with them."""

    def make(self, folder: Path) -> None:
        """Make the folder of one request."""
        ...

    def write(self, attribute: Path, content: bytes) -> None:
        """Write an attribute at once."""
        ...

    def read(self, attribute: Path) -> bytes:
        """Read an attribute whole."""
        ...

    def remove(self, folder: Path) -> None:
        """Remove the folder of a request."""
        ...


class KernelAttributes:
    """The real ones."""

    def make(self, folder: Path) -> None:
        """Make the folder of one request."""
        folder.mkdir()

    def write(self, attribute: Path, content: bytes) -> None:
        """Write an attribute in one call, as the kernel wants it."""
        with attribute.open("wb", buffering=0) as file:
            file.write(content)

    def read(self, attribute: Path) -> bytes:
        """Read an attribute whole."""
        return attribute.read_bytes()

    def remove(self, folder: Path) -> None:
        """Remove the folder of a request."""
        folder.rmdir()


class ConfigfsPlatform:
    """Reports from one request's folder, ``root/name``; nobody else uses that name."""

    def __init__(self, name: str, root: Path = REPORTS, kernel: Attributes | None = None) -> None:
        self._folder = root / name
        self._kernel = kernel or KernelAttributes()

    def collect(self, binding: Binding) -> Collected:
        """Return a report with the host's certificates; raise ``CollectionError``."""
        try:
            self._kernel.make(self._folder)
            try:
                report, table = self._ask(binding)
            finally:
                self._kernel.remove(self._folder)
        except OSError as error:
            told = f"{self._folder.parent} gives no report: {error.strerror}"
            raise PlatformUnavailableError(told) from None
        return collected(report, table, binding)

    def _ask(self, binding: Binding) -> tuple[bytes, bytes]:
        if (provider := self._read("provider").strip()) != PROVIDER:
            told = f"reports here come from {provider!a}, not from {PROVIDER!a}"
            raise PlatformUnavailableError(told)
        self._kernel.write(self._folder / "privlevel", b"%d" % VMPL)
        self._kernel.write(self._folder / "inblob", binding.report_data())
        before = self._read("generation")
        report, table = self._read("outblob"), self._read("auxblob")
        if self._read("generation") != before:
            raise AnswerMalformedError("somebody else wrote to the request meanwhile: ask again")
        return report, table

    def _read(self, attribute: str) -> bytes:
        return self._kernel.read(self._folder / attribute)

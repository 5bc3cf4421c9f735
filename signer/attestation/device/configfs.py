"""configfs-tsm: report collection through the kernel's configfs, Linux 6.7 and later.

Source: Linux, Documentation/ABI/testing/configfs-tsm-report. Each request uses a private folder.
``generation`` increments on each write, which reveals a concurrent write to the same folder.

1. Create the folder.
2. Write VMPL and REPORT_DATA.
3. Read report and certificates; ``generation`` must be unchanged.
4. Remove the folder.
   *If the process ends before that, the folder is left behind, without effect on requests under
   other names.*
"""

from pathlib import Path
from typing import Protocol

from signer.attestation.device.platform import (
    VMPL,
    AnswerMalformedError,
    Collected,
    PlatformUnavailableError,
    check_collected,
)
from signer.attestation.verify.binding import Binding

REPORTS = Path("/sys/kernel/config/tsm/report")
PROVIDER = b"sev_guest"


class Attributes(Protocol):
    """Port to configfs: making a folder creates its attributes, removing it removes them."""

    def make(self, folder: Path) -> None:
        """Create the folder of a request."""
        ...

    def write(self, attribute: Path, content: bytes) -> None:
        """Write an attribute in one call."""
        ...

    def read(self, attribute: Path) -> bytes:
        """Read all bytes of an attribute."""
        ...

    def remove(self, folder: Path) -> None:
        """Remove the folder of a request."""
        ...


class KernelAttributes:
    """The kernel's configfs."""

    def make(self, folder: Path) -> None:
        """Create the folder of a request."""
        folder.mkdir()

    def write(self, attribute: Path, content: bytes) -> None:
        """Write an attribute in one call, as the kernel requires."""
        with attribute.open("wb", buffering=0) as file:
            file.write(content)

    def read(self, attribute: Path) -> bytes:
        """Read all bytes of an attribute."""
        return attribute.read_bytes()

    def remove(self, folder: Path) -> None:
        """Remove the folder of a request."""
        folder.rmdir()


class ConfigfsPlatform:
    """Collects reports through the folder ``root/name``; ``name`` must be unique on the machine."""

    def __init__(self, name: str, root: Path = REPORTS, kernel: Attributes | None = None) -> None:
        self._folder = root / name
        self._kernel = kernel or KernelAttributes()

    def collect(self, binding: Binding) -> Collected:
        """Return a report with the host's certificates; raise ``CollectionError``."""
        try:
            self._kernel.make(self._folder)  # 1.
            try:
                report, table = self._report_and_table(binding)
            finally:
                self._kernel.remove(self._folder)  # 4.
        except OSError as error:
            message = f"cannot get a report from {self._folder.parent}: {error.strerror}"
            raise PlatformUnavailableError(message) from None
        return check_collected(report, table, binding)

    def _report_and_table(self, binding: Binding) -> tuple[bytes, bytes]:
        if (provider := self._read("provider").strip()) != PROVIDER:
            message = f"the report provider is {provider!a}, not {PROVIDER!a}"
            raise PlatformUnavailableError(message)
        # 2. Always VMPL 0, the most privileged level: the verifier's default accepts no other.
        self._kernel.write(self._folder / "privlevel", b"%d" % VMPL)
        self._kernel.write(self._folder / "inblob", binding.report_data())
        # 3. A concurrent write would make outblob a report on another REPORT_DATA.
        before = self._read("generation")
        report, table = self._read("outblob"), self._read("auxblob")
        if self._read("generation") != before:
            raise AnswerMalformedError("another process wrote to the same report request: retry")
        return report, table

    def _read(self, attribute: str) -> bytes:
        return self._kernel.read(self._folder / attribute)

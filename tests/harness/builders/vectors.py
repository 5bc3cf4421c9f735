"""Published test vectors, read from ../shared beside the repository."""

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
VECTORS = SHARED / "vectors"
SEV_VECTORS = SHARED / "sev_vectors"


def load_vectors(name: str) -> Any:
    """Return the parsed JSON of one file below ../shared/vectors, gzipped or not.

    Without the folder the test is skipped, as in a user's clone, but fails where CI=true.
    """
    if not VECTORS.is_dir():
        without_vectors(VECTORS)
    content = (VECTORS / name).read_bytes()
    return json.loads(gzip.decompress(content) if name.endswith(".gz") else content)


def report_cases(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print the number of compared cases, bypassing pytest's capture."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")


def without_vectors(folder: Path) -> None:
    """Skip the test, or fail it where CI=true."""
    where = f"../shared/{folder.name}"
    reason = f"the published vectors are absent: expected in {where} beside the repository"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)

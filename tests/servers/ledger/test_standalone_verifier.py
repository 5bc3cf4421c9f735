"""The stand-alone verifier in a process without this project."""

import subprocess
import sys
from pathlib import Path

from streams.ledger import verifier
from tests.harness.builders.ledger import ROWS, jsonl


def test_it_runs_alone_on_standard_input(tmp_path: Path) -> None:
    """It is copied elsewhere and runs without this project on its path."""
    source = Path(verifier.__file__).parent
    copied = tmp_path / "verifier"
    copied.mkdir()
    for file in source.glob("*.py"):
        (copied / file.name).write_bytes(file.read_bytes())
    run = subprocess.run(
        [sys.executable, "-P", "-m", "verifier", "-"],
        input=jsonl(ROWS),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, b"")

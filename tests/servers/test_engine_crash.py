"""A crash with the ledger's engine loaded ends the process at once, not after five minutes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_crashes_with_the_engine_loaded_ends_at_once(
    number: signal.Signals, tmp_path: Path
) -> None:
    code = (
        "import os, pathlib, threading\n"
        "from signer.custody.process import forbid_core_files\n"
        "from streams.ledger.embedded import open_folder\n"
        "forbid_core_files()\n"
        f"ledger = open_folder(pathlib.Path({str(tmp_path / 'ledger')!r}))\n"
        f"os.kill(os.getpid(), {number.value})\n"
        "threading.Event().wait()\n"
    )
    crashed = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert crashed.returncode == -number

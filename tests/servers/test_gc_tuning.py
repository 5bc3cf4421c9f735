"""What a process loaded is no work for the garbage collector."""

import subprocess
import sys

FROZEN = "import gc; from sixgate.interpreter import tune; tune(); print(gc.get_freeze_count())"


def test_what_is_loaded_when_a_process_is_tuned_is_spared() -> None:
    """In a process of its own: nothing thaws one part of what was frozen."""
    told = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, check=True)
    assert int(told.stdout) > 0

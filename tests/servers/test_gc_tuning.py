"""Objects loaded at start are frozen, so that the garbage collector skips them."""

import subprocess
import sys

FROZEN = (
    "import gc; from sixgate.services.gc_tuning import tune; tune(); print(gc.get_freeze_count())"
)
SPARED = (
    "import gc, sys; from sixgate.cli.app import run; sys.argv = ['sixgate', 'chains', '--help']; "
    "run(); print(gc.get_freeze_count())"
)


def test_objects_loaded_before_gc_tuning_are_frozen() -> None:
    """This runs in another process, because frozen objects can only be thawed all together."""
    ended = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, check=True)
    assert int(ended.stdout) > 0


def test_a_command_in_a_process_that_is_not_tuned_freezes_nothing() -> None:
    """Tests run many commands in one process, whose garbage must be collected."""
    ended = subprocess.run([sys.executable, "-c", SPARED], capture_output=True, check=True)
    assert ended.stdout.splitlines()[-1] == b"0"

"""How a failing command ends when its standard error is gone, or Ctrl-C comes while it explains."""

import os
import subprocess
import sys

import pytest

from sixgate.cli.exit_codes import ExitCode
from tests.harness.cli.command_line import SECONDS_MAX

# The command itself is replaced: what counts is what main() does with its failure.
FENCED = """
import sixgate.cli.app as cli
from streams.kafka.errors import KafkaFencedError
def app():
    raise KafkaFencedError("another process took over")
cli._run = app
from sixgate.cli import main
main()
"""
INTERRUPTED = """
import os, signal, sys
from sixgate.cli.interrupts import raise_on_interrupt
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {loading!r}:
            os.kill(os.getpid(), signal.SIGINT)
import sixgate.cli.app as cli
def app():
    raise_on_interrupt()
    sys.meta_path.insert(0, Interrupting())
    raise OSError(2, "no such file")
cli._run = app
from sixgate.cli import main
main()
"""


@pytest.mark.parametrize("lost", ["reader", "disk"])
def test_a_fenced_process_keeps_its_exit_code_without_standard_error(lost: str) -> None:
    """A supervisor must not start it again."""
    if lost == "disk":
        err = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, err = os.pipe()
        os.close(reader)
    command = [sys.executable, "-c", FENCED]
    done = subprocess.run(command, stderr=err, timeout=SECONDS_MAX, check=False)
    os.close(err)
    assert done.returncode == ExitCode.TAKEN_OVER


@pytest.mark.parametrize("loading", ["sixgate.cli.terminal", "rich"])
def test_ctrl_c_while_a_failure_is_explained_is_no_traceback(loading: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(loading=loading)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.returncode == ExitCode.FOLDER, done.stderr
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr
